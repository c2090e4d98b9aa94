"""Wrong fields are named in time and memory linear in the body, and never more than fifty of them."""

import json
import tracemalloc
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tracker.api.bodies import parse
from tracker.api.field_errors import DEPTH, is_well_formed
from tracker.api.requests import NewOrderBody, OrderChangeBody, StopsBody
from tracker.errors import NAMED, InvalidFields, Unparsable


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(max_length=10)]


HOSTILE = {
    "a long name and many values": b'{"text":"a","%s":[%s0]}' % (b"k" * 60_000, b"0," * 5_999),
    "empty lists": b'{"text":"a","x":[%s[]]}' % (b"[]," * 20_000),
    "small objects": b'{"text":"a","x":[%s{}]}' % (b'{"":0},' * 9_000),
    "brackets in texts": b'{"text":"a","x":[%s{}]}' % (b'"[",' * 15_000),
    "many names": b'{"text":"a",%s"z":0}' % b"".join(b'"%x":0,' % n for n in range(6_000)),
    "one name again and again": b'{"text":"a",%s"z":0}' % (b'"x":[],' * 9_000),
    "another type": b"[%s0]" % (b"[]," * 20_000),
    "a long text": b'{"text":"%s"}' % (b"x" * 64_000),
    "a long number": b'{"text":%s}' % (b"1" * 64_000),
    "costly numbers": b'{"text":"a","x":[%s0]}' % (b"8.5e-320," * 7_000),
    "escapes": b'{"text":"a","x":"%s"}' % (b"\\u0000" * 10_000),
}


def wrong(data: bytes, type_: Any) -> InvalidFields:
    with pytest.raises(InvalidFields) as refused:
        parse(data, type_)
    return refused.value


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_refusal_takes_little_memory(data: bytes) -> None:
    """What no field takes is not built: 72 kB of the first of these took 344 MB."""
    tracemalloc.start()
    try:
        error = wrong(data, Note)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * len(data)
    assert len(error.errors) <= NAMED
    assert len(str(error)) < 20_000


def test_fifty_wrong_fields_are_named_and_the_rest_counted() -> None:
    """In the sequence in which they come."""
    data = b"{%s}" % b",".join(b'"x%d":0' % n for n in range(1_000))
    error = wrong(data, Note)
    assert [field for field, _ in error.errors] == [f"x{n}" for n in range(50)]
    assert error.more == 951  # `text` is missing, too
    assert str(error).endswith("and 951 more")


def test_a_name_is_not_said_back_at_any_length() -> None:
    """Nor is a wrong value."""
    (field, _), *_ = wrong(b'{"%s":0,"text":""}' % (b"k" * 60_000), Note).errors
    assert field == "k" * 100 + "…"
    body = {
        "pickup": {"lat": 1, "lon": 1},
        "dropoff": {"lat": 1, "lon": 1},
        "visibility": {"eta": "x" * 9_999},
    }
    assert len(str(wrong(json.dumps(body).encode(), NewOrderBody))) < 400


def test_paths_lead_to_what_is_wrong() -> None:
    """Through objects and lists, and for what only the database would refuse."""
    stops = b'{"stops":[{"order_id":"a","kind":"pickup"},{"order_id":"\\u0000","kind":"dropoff"}]}'
    assert [field for field, _ in wrong(stops, StopsBody).errors] == ["stops[1].order_id"]
    stops = stops.replace(b"dropoff", b"drop")
    assert [field for field, _ in wrong(stops, StopsBody).errors] == ["stops[1].kind"]
    change = (
        b'{"window":{"from":"1999-01-01T00:00:00Z","to":"2026-01-01T00:00:00Z"},"pickup":{"lat":91,"x":1}}'
    )
    fields = [field for field, _ in wrong(change, OrderChangeBody).errors]
    assert fields == ["pickup.x", "pickup.lat"]


@pytest.mark.parametrize("depth", [DEPTH, DEPTH + 1, 5_000])
def test_nesting_has_a_limit(depth: int) -> None:
    """Also where brackets and quotes stand in texts."""
    for data in (
        b"[" * depth + b"]" * depth,
        b'{"a":' * (depth - 1) + b'["[[{\\"\\\\",""]' + b"}" * (depth - 1),
    ):
        assert is_well_formed(data) == (depth <= DEPTH)
        with pytest.raises(InvalidFields if depth <= DEPTH else Unparsable):
            parse(data, Note)


VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: (
        some.lists(inner) | some.dictionaries(some.text() | some.sampled_from(("text", "pickup")), inner)
    ),
)


@given(VALUES, some.sampled_from((Note, NewOrderBody, OrderChangeBody, StopsBody)), some.data())
def test_any_json_is_taken_or_refused_by_name(value: Any, type_: Any, data: some.DataObject) -> None:
    """And nothing else is raised, whole or cut anywhere."""
    whole = json.dumps(value).encode()
    cut = whole[: data.draw(some.integers(0, len(whole)))]
    for body in (whole, cut):
        try:
            parse(body, type_)
        except InvalidFields as error:
            assert error.errors
            assert msgspec.json.decode(body) is not Ellipsis  # what is named wrong is JSON
        except Unparsable:
            pass
