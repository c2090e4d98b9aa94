"""Wrong fields are named in time and memory linear in the body, and never more than fifty of them."""

import json
import re
import tracemalloc
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tracker.api.field_errors import DEPTH, is_well_formed, query_errors
from tracker.api.json_bodies import parse
from tracker.api.merchant.driver_bodies import NewDriver, StopsBody
from tracker.api.merchant.map import RouteRequest
from tracker.api.merchant.order_bodies import NewOrderBody, OrderChangeBody, StatusBody
from tracker.api.merchant.queries import OrderQuery, TrackQuery
from tracker.errors import NAMED, InvalidFields, Unparsable
from tracker.messages.codecs import JsonCodec, MsgpackCodec

PYTHON = re.compile(
    r"Expect|\bgot\b|[Oo]bject|\b(str|int|float|bool|array|datetime|dict|None|NoneType)\b|RFC3339"
)
LATITUDE = "must be a number from -90 to 90, or null"
TIME = "must be a time in RFC 3339 with an offset, such as 2026-11-22T16:43:00Z"
PLACE = {"lat": 60.1713, "lon": 24.944}


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


def details(body: Any, type_: Any) -> dict[str, str]:
    """What is said of each wrong field of a body."""
    return dict(wrong(json.dumps(body).encode(), type_).errors)


def order(**fields: Any) -> dict[str, Any]:
    return {"pickup": PLACE, "dropoff": PLACE} | fields


@pytest.mark.parametrize(
    ("type_", "body", "field", "detail"),
    [
        (
            NewDriver,
            {"name": "A", "vehicle": "plane"},
            "vehicle",
            "must be one of car, bicycle, scooter, foot",
        ),
        (NewDriver, {"name": "A", "vehicle": 3}, "vehicle", "must be one of car, bicycle, scooter, foot"),
        (NewDriver, {"name": "A"}, "vehicle", "is required"),
        (
            NewDriver,
            {"name": " ", "vehicle": "car"},
            "name",
            "must be text of 1 to 200 characters that are not all spaces",
        ),
        (
            NewDriver,
            {"name": "A", "vehicle": "car", "speed": 3},
            "speed",
            "unknown field; known are name, vehicle, reference, display_name",
        ),
        (NewDriver, [], "", "must be {…} with the fields name, vehicle, reference, display_name"),
        (NewOrderBody, order(pickup=PLACE | {"lat": 91}), "pickup.lat", LATITUDE),
        (NewOrderBody, order(pickup=PLACE | {"lat": "60"}), "pickup.lat", LATITUDE),
        (NewOrderBody, order(pickup=PLACE | {"ready_at": "soon"}), "pickup.ready_at", f"{TIME}, or null"),
        (NewOrderBody, order(window={"from": "2026-01-01T00:00:00", "to": 3}), "window.from", TIME),
        (NewOrderBody, order(anywhere="yes"), "anywhere", "must be true or false"),
        (
            NewOrderBody,
            order(visibility={"eta": {"stops": -1}}),
            "visibility.eta",
            'must be always, never, {"stops": n}, {"eta_s": n} or {"distance_m": n} with n of at least 0, '
            "or a list of at most 10 of these",
        ),
        (
            NewOrderBody,
            order(visibility={"eta": [{"minutes": 3}]}),
            "visibility.eta[0]",
            "unknown field; known are stops, eta_s, distance_m",
        ),
        (
            StatusBody,
            {"status": "lost"},
            "status",
            "must be one of created, assigned, picked_up, delivered, failed, cancelled",
        ),
        (StopsBody, {"stops": [{"order_id": "a"}]}, "stops[0]", "`kind` is required"),
        (
            StopsBody,
            {"stops": [{"order_id": "a", "kind": "x"}]},
            "stops[0].kind",
            "must be one of pickup, dropoff",
        ),
        (StopsBody, {"stops": {}}, "stops", "must be a list of at most 1000 items"),
        (RouteRequest, {"places": [PLACE]}, "places", "must be a list of 2 to 50 items"),
    ],
)
def test_a_detail_says_what_is_allowed(type_: Any, body: Any, field: str, detail: str) -> None:
    """In words that need no knowledge of the service's language."""
    assert details(body, type_)[field] == detail


def test_a_wrong_query_says_what_is_allowed() -> None:
    """There is no null in a query string, so none is offered."""
    given = {"limit": "0", "from": "today", "simplify": "fine", "include": "all", "page": "2"}
    assert dict(query_errors(given, TrackQuery)) == {
        "limit": "must be a whole number from 1 to 500",
        "from": TIME,
        "simplify": "must be a number from 0 to 10000",
        "include": 'must be "rejected"',
        "page": "unknown field; known are limit, cursor, from, to, simplify, include, at",
    }


@pytest.mark.parametrize(
    ("message", "detail"),
    [
        (
            {"type": "fly"},
            "type: must be one of fixes, status, message, duty, device, navigation, ping, pong, hello",
        ),
        ({"id": 1}, "message: `type` is required"),
        ({"type": "status", "id": "a", "order_id": "a"}, "id: must be a whole number"),
        (
            {"type": "status", "id": 1, "order_id": "a", "status": "created"},
            "status: must be one of picked_up, delivered, failed",
        ),
        ({"type": "message", "id": 1, "order_id": "a"}, "message: `text` is required"),
        ({"type": "navigation", "arrives_at": "soon"}, f"arrives_at: {TIME}, or null"),
        ({"type": "fixes", "id": 1, "fixes": 3}, "fixes: must be a list"),
    ],
)
def test_a_wrong_message_says_what_is_allowed(message: Any, detail: str) -> None:
    """In both encodings of the drivers' stream."""
    with pytest.raises(Unparsable) as refused:
        JsonCodec().decode(json.dumps(message))
    assert str(refused.value) == detail
    with pytest.raises(Unparsable) as refused:
        MsgpackCodec().decode(msgspec.msgpack.encode(message))
    assert str(refused.value) == detail


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
            assert not [detail for _, detail in error.errors if PYTHON.search(detail) or not detail]
            assert msgspec.json.decode(body) is not Ellipsis  # what is named wrong is JSON
        except Unparsable:
            pass


MESSAGES = some.fixed_dictionaries(
    {"type": some.sampled_from(("fixes", "status", "message", "navigation", "ping", "hello")) | VALUES},
    optional={
        name: VALUES for name in ("id", "order_id", "status", "text", "at", "fixes", "arrives_at", "n")
    },
)


@given(MESSAGES | VALUES, some.booleans())
def test_no_message_is_refused_in_the_words_of_python(value: Any, cut: bool) -> None:
    """Whatever a driver's app sends."""
    frame = json.dumps(value)
    try:
        JsonCodec().decode(frame[:-1] if cut else frame)
    except Unparsable as error:
        assert not PYTHON.search(str(error))


@given(
    some.dictionaries(some.sampled_from(("limit", "from", "bbox", "status", "simplify", "x")), some.text())
)
def test_no_query_is_refused_in_the_words_of_python(value: dict[str, str]) -> None:
    """Whatever stands in a query string."""
    for query in (OrderQuery, TrackQuery):
        assert not [detail for _, detail in query_errors(value, query) if PYTHON.search(detail)]
