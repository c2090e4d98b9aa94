"""Ledger: what one device made and was acknowledged, and the verdict over what was stored of it. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any, Final, NamedTuple

import msgspec

SKEW_CORRECTED_WITHIN: Final = timedelta(seconds=90)  # between a corrected time and the true one
NO_SKEW: Final = timedelta(0)
_REAL: Final = Struct("f")


class Made(msgspec.Struct, frozen=True):
    """A reading as the device made it. No other has its longitude: by it a row is known, whatever its key."""

    number: int
    recorded_at: datetime  # by the device's clock
    lat: float
    lon: float
    accuracy: float
    speed: float
    heading: float
    altitude: float
    battery: float
    skew: timedelta = NO_SKEW  # of the device's clock

    def wire(self) -> dict[str, Any]:
        """As the contract's Fix."""
        at = self.recorded_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        return {
            "recorded_at": at,
            "lat": self.lat,
            "lon": self.lon,
            "accuracy": self.accuracy,
            "speed": self.speed,
            "heading": self.heading,
            "altitude": self.altitude,
            "battery": self.battery,
        }


class StoredRow(NamedTuple):
    """A row of `fixes`, with the id of its driver in place of the number (None: nobody's)."""

    driver_id: str | None
    recorded_at: datetime
    lat: float
    lon: float
    accuracy: float | None
    speed: float | None
    heading: float | None
    altitude: float | None
    battery: float | None


class Ledger:
    """One driver's account: every fix that was ever made, and what the service said about it."""

    def __init__(self) -> None:
        self.made: dict[int, Made] = {}
        self.acked: set[int] = set()
        self.rejected: dict[int, str] = {}
        self.impostors: set[int] = set()  # sent under the key of an acknowledged one, with other content
        self.erased = False
        self.forgotten_before: datetime | None = None  # dropped by retention, on purpose
        self.faults: list[str] = []  # what the service said that it must not say
        self._keys: set[datetime] = set()

    def enter(self, fix: Made, *, impostor: bool = False) -> Made:
        """Notes a new fix; raises ValueError where its key was used before."""
        if fix.recorded_at in self._keys and not impostor:
            raise ValueError("the key was used before")
        self._keys.add(fix.recorded_at)
        self.made[fix.number] = fix
        if impostor:
            self.impostors.add(fix.number)
        return fix

    def has_key(self, at: datetime) -> bool:
        return at in self._keys

    def acknowledged(self, numbers: list[int], ack: Mapping[str, Any]) -> None:
        """Takes the service at its word, and notes where its word does not add up."""
        refused = {one["index"]: str(one["reason"]) for one in ack["rejected"]}
        for index, number in enumerate(numbers):
            if index in refused:
                self.rejected[number] = refused[index]
            else:
                self.acked.add(number)
        told = ack["stored"] + ack["duplicates"] + len(refused)
        if told != len(numbers) and not self.erased:
            self.faults.append(f"an ack for {len(numbers)} fixes counts {told}")

    @property
    def must_be_stored(self) -> Iterator[Made]:
        for number in self.acked - self.impostors:
            fix = self.made[number]
            if self.forgotten_before is None or fix.recorded_at >= self.forgotten_before:
                yield fix


def verdict(ledgers: Mapping[str, Ledger], rows: Iterable[StoredRow]) -> list[str]:
    """What is wrong with what is stored, one line a kind; empty where every promise was kept."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    stored: dict[str, Counter[int]] = {driver_id: Counter() for driver_id in ledgers}
    keys: Counter[tuple[str | None, datetime]] = Counter()
    places = {
        driver_id: {fix.lon: fix for fix in ledger.made.values()} for driver_id, ledger in ledgers.items()
    }
    for row in rows:
        keys[row.driver_id, row.recorded_at] += 1
        fix = places.get(row.driver_id or "", {}).get(row.lon)
        if row.driver_id is None or row.driver_id not in ledgers:
            found["stored for nobody"].append(f"{row.recorded_at}")
        elif fix is None:
            found["stored and never sent"].append(f"{row.driver_id} {row.recorded_at}")
        else:
            stored[row.driver_id][fix.number] += 1
            for wrong in _differences(fix, row):
                found[f"stored with another {wrong}"].append(f"{row.driver_id} #{fix.number}")
    found["one key twice"] += [f"{key}" for key, count in keys.items() if count > 1]
    for driver_id, ledger in ledgers.items():
        for kind, numbers in _account(ledger, stored[driver_id]):
            found[kind] += [f"{driver_id} #{number}" for number in numbers]
        for fault in ledger.faults:
            found[fault].append(driver_id)
    return [f"{kind}: {len(cases)} (as {cases[0]})" for kind, cases in found.items() if cases]


def _account(ledger: Ledger, stored: Counter[int]) -> Iterator[tuple[str, list[int]]]:
    """What is wrong with one driver's fixes, by kind."""
    if ledger.erased:
        yield "stored of an erased driver", list(stored)
        return
    yield "acknowledged and lost", [fix.number for fix in ledger.must_be_stored if not stored[fix.number]]
    yield "stored twice", [number for number, count in stored.items() if count > 1]
    yield "the second content stands", [number for number in stored if number in ledger.impostors]
    yield (
        "rejected and stored",
        [number for number in ledger.rejected if stored[number] and number not in ledger.acked],
    )


def _differences(fix: Made, row: StoredRow) -> Iterator[str]:
    if row.recorded_at != fix.recorded_at:
        true = fix.recorded_at - fix.skew
        if fix.skew == NO_SKEW or abs(row.recorded_at - true) > SKEW_CORRECTED_WITHIN:
            yield "time"
    if row.lat != fix.lat:
        yield "latitude"
    for name in ("accuracy", "speed", "heading", "altitude", "battery"):
        if getattr(row, name) != _real(getattr(fix, name)):
            yield name


def _real(value: float) -> float:
    """As a column of four bytes holds it."""
    single: float = _REAL.unpack(_REAL.pack(value))[0]
    return single
