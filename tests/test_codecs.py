"""What drivers send, in both encodings, right and wrong."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.codecs import JsonCodec, MsgpackCodec, readings
from tracker.domain.track import Fix
from tracker.errors import Unparsable
from tracker.messages import Fixes, RawFixes

GOOD = {"recorded_at": "2026-11-22T12:00:00.250+02:00", "lat": 60.0, "lon": 24.0, "other": [1]}
EXPECTED = Fix(datetime(2026, 11, 22, 10, 0, 0, 250_000, tzinfo=UTC), 60.0, 24.0)


def fixes(*raw: object) -> dict[str, object]:
    return {"type": "fixes", "id": 1, "fixes": list(raw)}


def decoded(codec: JsonCodec | MsgpackCodec, message: object) -> Any:
    frame = msgspec.json.encode(message) if isinstance(codec, JsonCodec) else msgspec.msgpack.encode(message)
    return codec.decode(frame)


@pytest.mark.parametrize("codec", [JsonCodec(), MsgpackCodec()])
def test_good_fixes_are_read_strictly_in_any_offset_and_unknown_fields_are_ignored(codec: Any) -> None:
    """The common case costs one pass."""
    message = decoded(codec, fixes(GOOD))
    assert isinstance(message, Fixes)
    assert readings(message) == [EXPECTED]


@pytest.mark.parametrize("codec", [JsonCodec(), MsgpackCodec()])
@pytest.mark.parametrize(
    "wrong",
    [
        "a fix",
        None,
        [],
        {},
        {**GOOD, "lat": "60"},
        {**GOOD, "lat": None},
        {**GOOD, "lon": True},
        {**GOOD, "speed": "fast"},
        {**GOOD, "recorded_at": 1_763_800_000},
        {**GOOD, "recorded_at": "2026-11-22T12:00:00"},
        {**GOOD, "recorded_at": "yesterday"},
        {"lat": 1.0, "lon": 2.0},
    ],
)
def test_a_malformed_fix_never_spoils_its_neighbours(codec: Any, wrong: object) -> None:
    """The wrong one is named at its index; those beside it are read."""
    message = decoded(codec, fixes(GOOD, wrong, GOOD))
    assert isinstance(message, RawFixes)
    assert readings(message) == [EXPECTED, "malformed", EXPECTED]


def test_numbers_that_only_python_writes_cost_one_fix() -> None:
    """NaN and Infinity are no JSON, but many programs say them: they reach the check by name."""
    text = '{"type":"fixes","id":1,"fixes":[{"recorded_at":"2026-11-22T10:00:00Z","lat":NaN,"lon":1e999}]}'
    (reading,) = readings(JsonCodec().decode(text))  # type: ignore[arg-type]
    assert isinstance(reading, Fix) and reading.lat != reading.lat and reading.lon == float("inf")


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "null",
        "[]",
        '{"type":"fixes"',
        '{"type":"unknown"}',
        '{"type":"fixes","id":"1","fixes":[]}',
        '{"type":"fixes","fixes":[]}',
        '{"type":"status","id":1,"order_id":"ord_1","status":"created"}',
        "[" * 10_000,
        '{"type":"ping","n":' + "9" * 100_000 + "}",
        '"\ud800"',
        '{"type":"message","id":1,"order_id":"ord_1","text":"\\ud800"}',
        b"\xff\xfe",
    ],
)
def test_what_cannot_be_read_is_unparsable(frame: str | bytes) -> None:
    """One error for all of it, and never another exception."""
    with pytest.raises(Unparsable):
        JsonCodec().decode(frame)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_unparsable(frame: bytes) -> None:
    """Neither decoder lets any other exception out."""
    for codec in (JsonCodec(), MsgpackCodec()):
        with suppress(Unparsable):
            codec.decode(frame)
