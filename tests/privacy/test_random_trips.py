"""No customer sees another's door or a courier at rest: random trips, judged by the bytes on the wire."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from tests.privacy.simulation.random_trip import RandomTrip
from tests.privacy.simulation.world import World
from tracker.domain import trip, visible_trip
from tracker.domain.driver.duty import DutyTimes
from tracker.domain.privacy import other_dropoffs
from tracker.domain.privacy.other_dropoffs import Doors
from tracker.domain.trip import Trip
from tracker.domain.visible_trip import VisibleTrip
from tracker.live import fleet

SAMPLE = range(20)
ALL = range(60, 1_060)
TRIES = 60  # trips in which a fault of the service must show


@pytest.fixture(autouse=True)
def by_the_virtual_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The simulation is the timer."""
    monkeypatch.setattr(fleet, "TICK_S", 1e6)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()


async def broken_in(seed: int) -> tuple[World, list[str]]:
    world = await RandomTrip(seed).run()
    return world, [f"seed {seed}: {violation}" for violation in world.verdict()]


async def judged(seeds: range) -> dict[str, int]:
    """How often customers saw something, and how often a door, a window or time hid it."""
    seen = {
        "trips": 0,
        "messages": 0,
        "positions": 0,
        "trails": 0,
        "routes": 0,
        "hidden": 0,
        "no_distance": 0,
    }
    for seed in seeds:
        world, violations = await broken_in(seed)
        assert violations == []
        seen["trips"] += 1
        seen["messages"] += len(world.heard)
        for message in world.heard:
            for name in ("position", "trail", "route"):
                seen[f"{name}s"] += message.get(name) is not None
            seen["hidden"] += message.get("visibility") == "hidden"
            eta = message.get("eta")
            seen["no_distance"] += _is_coarse(eta)
    return seen


async def test_no_door_is_shown_in_a_sample_of_random_trips() -> None:
    """And there was something to see, and something to hide."""
    seen = await judged(SAMPLE)
    assert all(count > len(SAMPLE) for name, count in seen.items() if name != "trips"), seen


def nothing(*_given: Any, **_more: Any) -> None:
    """What should be done is not."""


def never(*_given: Any) -> bool:
    return False


def always(*_given: Any) -> bool:
    return True


def works_now(trip: Trip) -> bool:
    return trip.duty.now == "on"


def long_from_now(*_given: Any) -> datetime:
    return datetime(2100, 1, 1, tzinfo=UTC)


FAULTS: dict[str, tuple[object, str, object, str, int]] = {  # what is broken how, the rule, the first trip
    "an ended door is forgotten": (Doors, "_end", nothing, "Nothing within 100 m", 2_000),
    "a restart forgets ended doors": (Doors, "restore", nothing, "Nothing within 100 m", 2_076),
    "an open door does not hide": (Doors, "hide", never, "Nothing within 100 m", 2_000),
    "a trail leads past": (Doors, "hide_between", never, "No straight piece", 2_038),
    "a new door does not clear trails": (VisibleTrip, "change_doors", nothing, "Nothing within 100 m", 2_001),
    "a whole town is one house": (other_dropoffs, "SAME_PLACE", 300.0, "Nothing within 100 m", 2_001),
    "placeholders are a customer": (other_dropoffs, "_phone", str.strip, "Nothing within 100 m", 2_022),
    "a break hides nothing": (
        Trip,
        "_is_working",
        property(always),
        "No whereabouts, and no distance",
        2_000,
    ),
    "a break is shown later": (Trip, "_is_working", property(works_now), "What was recorded off", 2_040),
    "nobody is ever off duty": (DutyTimes, "at", lambda *_given: "on", "What was recorded off", 2_025),
    "a break takes the ETA": (trip, "coarse", lambda _eta: None, "A break leaves", 2_000),
    "the distance is told": (trip, "coarse", lambda eta: eta, "No distance", 2_000),
    "windows are not waited for": (visible_trip, "awaits_window", never, "Nothing of the driver", 2_001),
    "nothing is ever stuck": (visible_trip, "stuck_at", long_from_now, "No whereabouts", 2_006),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_the_service_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule's code is needed: without it the judge finds its breach in some random trip."""
    where, name, wrong, rule, first = FAULTS[fault]
    monkeypatch.setattr(where, name, wrong)
    for seed in range(first, first + TRIES):
        _, violations = await broken_in(seed)
        if any(rule in violation for violation in violations):
            return
    pytest.fail(f"no trip showed that {fault}")


@pytest.mark.long
async def test_no_door_is_shown_in_a_thousand_random_trips() -> None:
    """The whole promise."""
    seen = await judged(ALL)
    print(seen)
    assert seen["trips"] == len(ALL)


def _is_coarse(eta: Any) -> bool:
    return eta is not None and eta["distance_m"] is None and eta["basis"] != "none"
