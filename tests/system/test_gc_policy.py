"""The collector of cycles passes over what is new, and over everything only where much has come."""

import gc
from collections.abc import Iterator
from contextlib import suppress
from types import MethodType, SimpleNamespace
from typing import cast
from weakref import ref

import pytest

from tracker.errors import Unparsable
from tracker.live.fleet import Fleet
from tracker.messages.codecs import JsonCodec, MsgpackCodec
from tracker.system import gc_policy
from tracker.system.gc_policy import FEW, YOUNG, Collector


class Knot:
    """What only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collector() -> Iterator[Collector]:
    before = gc.get_threshold()
    collector = Collector()
    yield collector
    collector.end()
    gc.set_threshold(*before)
    gc.unfreeze()


def in_sight() -> int:
    """Objects that have outlived a pass and would be looked at again."""
    return len(gc.get_objects(generation=1)) + len(gc.get_objects(generation=2))


def test_what_stays_is_out_of_sight_soon(collector: Collector) -> None:
    kept = [[n] for n in range(10 * YOUNG)]
    assert in_sight() == 0
    assert gc.get_freeze_count() > len(kept) / 2


def test_what_is_dropped_soon_is_found_soon(collector: Collector) -> None:
    knot = ref(Knot())
    kept = [[n] for n in range(2 * YOUNG)]
    assert knot() is None
    assert len(kept) == 2 * YOUNG


def hide() -> ref[Knot]:
    """Something that was out of sight before it became garbage."""
    knots = [Knot() for _ in range(2 * YOUNG)]
    return ref(knots[0])


def test_what_was_out_of_sight_is_found_when_much_has_come(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that left cycles behind would not grow for ever."""
    monkeypatch.setattr(gc_policy, "MANY", 20 * YOUNG)
    hidden = hide()
    collector.look_again()
    assert hidden() is not None, "a little is no reason to stop everybody"
    kept = [[n] for n in range(20 * YOUNG)]
    collector.look_again()
    assert hidden() is None
    assert collector.settled > len(kept)


def test_where_memory_is_short_a_little_is_reason_enough(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before clients are refused for what nobody needs."""
    hidden = hide()
    kept = [[n] for n in range(FEW)]
    collector.look_again()
    assert hidden() is not None
    monkeypatch.setattr(gc_policy, "is_scarce", lambda: True)
    collector.look_again()
    assert hidden() is None
    assert collector.settled > len(kept)


def test_afterwards_the_collector_is_nobodys_any_more() -> None:
    before = gc.get_threshold()
    Collector().end()
    frozen = gc.get_freeze_count()
    gc.collect(0)
    assert gc.get_freeze_count() <= frozen
    gc.set_threshold(*before)
    gc.unfreeze()


async def test_what_is_refused_leaves_no_cycles() -> None:
    """A refused frame, and a refused request whose work goes on, are freed without the collector."""

    fleet = SimpleNamespace(_shielded=set())
    fleet._in_background = MethodType(Fleet._in_background, fleet)

    async def refuse() -> None:
        raise Unparsable("x")

    async def ask() -> None:
        with suppress(Unparsable):
            await Fleet.shield(cast("Fleet", fleet), refuse())

    def decode() -> None:
        for codec, frame in ((JsonCodec(), b'{"type":"fixes","id":1}'), (MsgpackCodec(), b"\x91")):
            with suppress(Unparsable):
                codec.decode(frame)

    await ask()
    decode()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            await ask()
            decode()
        assert gc.collect() < 20
    finally:
        gc.enable()
