"""Ledger: each way of breaking the promise is seen in what is stored, and a kept one is not complained of."""

from array import array
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tests.faults.ledger import Ledger, Made, StoredRow, verdict

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)
HOURS = timedelta(hours=3)


def made(number: int, skew: timedelta = timedelta(0)) -> Made:
    at = NOW + timedelta(seconds=number) + skew
    return Made(number, at, 60.17, 24.94 + number * 1e-9, 5.1, 4.2, 90.0, 12.3, 0.8, skew)


def row(fix: Made, driver: str = "a", **other: object) -> StoredRow:
    """As the database gives back a fix that was stored well."""
    single = dict(zip(_REALS, array("f", [getattr(fix, name) for name in _REALS]), strict=True))
    return StoredRow(driver, fix.recorded_at, fix.lat, fix.lon, **single)._replace(**other)  # type: ignore[arg-type]


_REALS = ("accuracy", "speed", "heading", "altitude", "battery")


@pytest.fixture
def ledger() -> Ledger:
    """Of a driver who made four fixes; three were acknowledged, one was refused by name."""
    ledger = Ledger()
    for number in range(4):
        ledger.enter(made(number))
    ledger.acknowledged(
        [0, 1, 2, 3], {"stored": 3, "duplicates": 0, "rejected": [{"index": 3, "reason": "too_old"}]}
    )
    return ledger


GOOD = [row(made(number)) for number in range(3)]


def test_a_kept_promise_is_not_complained_of(ledger: Ledger) -> None:
    """Everything acknowledged is there once, as it was sent."""
    assert verdict({"a": ledger}, GOOD) == []


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (GOOD[:2], "acknowledged and lost: 1"),
        ([*GOOD, row(made(1), recorded_at=NOW + HOURS)], "stored twice: 1"),
        ([*GOOD, GOOD[0]], "one key twice: 1"),
        ([*GOOD, row(made(3))], "rejected and stored: 1"),
        ([*GOOD, row(made(99))], "stored and never sent: 1"),
        ([*GOOD, row(made(0), driver="b")], "stored for nobody: 1"),
        ([*GOOD[:2], row(made(2), lat=60.18)], "stored with another latitude: 1"),
        ([*GOOD[:2], row(made(2), speed=None)], "stored with another speed: 1"),
        ([*GOOD[:2], row(made(2), recorded_at=NOW)], "stored with another time: 1"),
    ],
)
def test_a_broken_promise_is_named(ledger: Ledger, rows: list[StoredRow], words: str) -> None:
    """Lost, doubled, invented, changed: each by its own words."""
    assert any(line.startswith(words) for line in verdict({"a": ledger}, rows))


def test_an_ack_that_does_not_add_up_is_named(ledger: Ledger) -> None:
    """Stored, duplicates and rejected are together what was sent."""
    ledger.acknowledged([0, 1], {"stored": 1, "duplicates": 0, "rejected": []})
    assert any("an ack for 2 fixes counts 1" in line for line in verdict({"a": ledger}, GOOD))


def test_the_first_content_stands(ledger: Ledger) -> None:
    """A key that was sent again with other content is a duplicate; the second content is nowhere."""
    other = msgspec.structs.replace(made(0), number=9, lon=24.95)
    ledger.enter(other, impostor=True)
    ledger.acknowledged([9], {"stored": 0, "duplicates": 1, "rejected": []})
    assert verdict({"a": ledger}, GOOD) == []
    assert verdict({"a": ledger}, [*GOOD[1:], row(other)])


def test_nothing_of_an_erased_driver_may_stay(ledger: Ledger) -> None:
    """Then an empty table is right and a full one is not."""
    ledger.erased = True
    assert verdict({"a": ledger}, []) == []
    assert verdict({"a": ledger}, GOOD)[0].startswith("stored of an erased driver: 3")


def test_a_wrong_clock_may_be_corrected_and_nothing_else() -> None:
    """A fix of a clock three hours ahead stands at its own time or at the true one."""
    ledger = Ledger()
    fix = ledger.enter(made(1, skew=HOURS))
    ledger.acknowledged([1], {"stored": 1, "duplicates": 0, "rejected": []})
    assert verdict({"a": ledger}, [row(fix)]) == []
    assert verdict({"a": ledger}, [row(fix, recorded_at=fix.recorded_at - HOURS)]) == []
    assert verdict({"a": ledger}, [row(fix, recorded_at=fix.recorded_at - HOURS / 2)]) != []


def test_a_key_is_made_once(ledger: Ledger) -> None:
    """The checker itself never gives one key to two fixes."""
    with pytest.raises(ValueError, match="used before"):
        ledger.enter(msgspec.structs.replace(made(0), number=77))
