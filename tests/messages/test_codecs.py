"""What drivers send, in both encodings, right and wrong."""

import json
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.tracks.fix import Fix
from tracker.errors import Unparsable
from tracker.messages import FIXES_PER_MESSAGE, Fixes, RawFixes
from tracker.messages.codecs import SMALL_FRAME_BYTES, JsonCodec, MsgpackCodec, readings

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


FULL = 262_144  # bytes of a frame
COSTLY_JSON = {
    "empty lists": b'{"type":"fixes","id":1,"fixes":[%s]}' % b",".join([b"[]"] * 80_000),
    "empty objects": b'{"type":"status","x":[%s]}' % b",".join([b"{}"] * 80_000),
    "nested": b'{"type":"fixes","id":1,"fixes":%s}' % (b"[" * 100_000 + b"]" * 100_000),
    "names": b'{"type":"fixes","id":1,"fixes":[{%s}]}' % b",".join(b'"%x":0' % n for n in range(25_000)),
}


@pytest.mark.parametrize("frame", COSTLY_JSON.values(), ids=COSTLY_JSON)
def test_a_frame_is_not_built_of_which_too_many_values_would_come(frame: bytes) -> None:
    """Only a few are made into objects, in text frames and in bodies alike."""
    for sent in (frame, frame.decode()):
        tracemalloc.start()
        with pytest.raises(Unparsable):
            JsonCodec().decode(sent)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 3 * FULL


PACKED = b"\x83\xa4type\xa5fixes\xa2id\x07\xa5fixes"


def test_packed_lists_are_counted_and_not_built() -> None:
    """An empty one takes one byte, and eighty in memory."""
    for fixes_, count in (
        (b"\xdd" + (200_000).to_bytes(4) + b"\x90" * 200_000, 200_000),
        (b"\xdc" + (60_000).to_bytes(2) + b"\x80" * 60_000, 60_000),
        (b"\xdc\x01\xf4" + b"\xdc\x02\x00" * 500 + b"\x90" * 512 * 500, 500),
        (b"\x92\xdc\xff\xff" + b"\x90" * 65_535 + b"\x81\xa3lat\xdc\xff\xff" + b"\x90" * 65_535, 2),
    ):
        tracemalloc.start()
        message = MsgpackCodec().decode(PACKED + fixes_)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 * FULL
        assert isinstance(message, RawFixes)
        assert len(message.fixes) == count
        assert count > FIXES_PER_MESSAGE or set(readings(message)) == {"malformed"}


def test_numbers_that_are_costly_to_read_are_read_all_the_same() -> None:
    """In a large frame by the other reader, to the same values."""
    costly = {**GOOD, "speed": 8.5e-320, "accuracy": 1.7e308}
    frame = json.dumps(fixes(*[costly] * 600))
    assert len(frame) > SMALL_FRAME_BYTES
    message = JsonCodec().decode(frame)
    assert isinstance(message, RawFixes)
    expected = Fix(EXPECTED.recorded_at, 60.0, 24.0, accuracy=1.7e308, speed=8.5e-320)
    assert readings(message) == [expected] * 600
    small = JsonCodec().decode(json.dumps(fixes(costly)))
    assert isinstance(small, Fixes)
    assert readings(small) == [expected]


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
