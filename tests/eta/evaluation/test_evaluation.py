"""The evaluation: what it reads, what it knows at each moment, and what it prints."""

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from tracker.__main__ import main
from tracker.config import Config
from tracker.domain.eta.model import EtaModels
from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.order import Vehicle
from tracker.domain.route import Edge, Leg
from tracker.domain.route_choice.observed_streets import NO_STREETS, ObservedStreets, StreetPassage
from tracker.domain.route_choice.preference import LAWFUL, RoutePreference
from tracker.errors import BadInput, NoRoute
from tracker.eta.evaluation import Report, evaluate, read_trips
from tracker.eta.evaluation.baselines import Baselines, best_constant
from tracker.eta.evaluation.recorded_trips import RecordedFix, RecordedStop, RecordedTrip
from tracker.eta.evaluation.replay import MethodForecast, Replay
from tracker.map.extract import find_map

BEGIN = datetime(2026, 6, 1, 9, tzinfo=UTC)
PLANE = Plane(LonLat(24.9450, 60.1700))
SPEED = 6.0  # m/s, of the recorded drivers
ROUTER_SPEED = 10.0  # m/s, as the router thinks


class StraightStreets:
    """A router of a city in which every way is a straight street; `broken`: there is none."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken

    async def route(
        self,
        places: Sequence[LonLat],
        vehicle: Vehicle,
        *,
        edges: bool = False,
        heading: float | None = None,
        preference: RoutePreference = LAWFUL,
        streets: ObservedStreets = NO_STREETS,
    ) -> tuple[Leg, ...]:
        if self.broken:
            raise NoRoute("There are no streets.")
        return tuple(
            Leg(
                pair,
                metres := distance(*pair),
                metres / ROUTER_SPEED,
                (Edge(0, 1, metres, metres / ROUTER_SPEED, "primary", False, "street"),),
            )
            for pair in pairwise(places)
        )

    async def match_streets(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[StreetPassage, ...]:
        return ()


def place(metres: float) -> LonLat:
    return PLANE.to_lonlat(metres, 0.0)


def drive(name: str, begin_s: float = 0.0, *, dwell_s: float = 80.0) -> RecordedTrip:
    """1,200 m to a first stop, a halt, and 1,200 m to a second one, with a fix every five seconds."""
    leg_s = 1_200.0 / SPEED
    fixes = []
    for n in range(int((2 * leg_s + dwell_s) / 5)):
        driving = min(5.0 * n, leg_s) + max(5.0 * n - leg_s - dwell_s, 0.0)
        moves = not leg_s <= 5.0 * n < leg_s + dwell_s
        at = place(driving * SPEED)
        when = BEGIN + timedelta(seconds=begin_s + 5.0 * n)
        fixes.append(RecordedFix(when, at.lat, at.lon, 5.0, SPEED if moves else 0.0, 90.0))
    stops = tuple(RecordedStop(place(metres).lat, place(metres).lon, 75.0) for metres in (1_200.0, 2_400.0))
    ends = (begin_s + leg_s, begin_s + 2 * leg_s + dwell_s)
    return RecordedTrip(name, stops, tuple(fixes), tuple(BEGIN + timedelta(seconds=each) for each in ends))


def quiet(_: str) -> None:
    return


def day(count: int) -> list[RecordedTrip]:
    return [drive(f"{n}", 600.0 * n) for n in range(count)]


async def test_what_was_driven_before_makes_the_forecast_better() -> None:
    """A city whose streets are slower than the router thinks is learned, and the interval with it."""
    cold = await evaluate(day(3), [], StraightStreets(), quiet)
    warm = await evaluate(day(3), day(30), StraightStreets(), quiet)
    before, after = (each.methods["tracker"].overall for each in (cold, warm))
    assert after.mae_s is not None and before.mae_s is not None
    assert after.mae_s < 0.6 * before.mae_s
    assert after.width_s is not None and before.width_s is not None
    assert after.width_s < before.width_s
    plain = warm.methods["router"].overall.mae_s
    assert plain is not None and after.mae_s < plain


async def test_rows_count_every_forecast_once() -> None:
    """Buckets are by the true time to go and add up to the whole; peers have no interval."""
    report = await evaluate(day(2), [], StraightStreets(), quiet)
    assert (report.trips, set(report.methods)) == (
        2,
        {"tracker", "router", "router_scaled", "straight_line"},
    )
    for name, method in report.methods.items():
        assert list(method.buckets) == ["0-2", "2-5", "5-10", "10-20", "20+"]
        assert sum(row.forecasts for row in method.buckets.values()) == method.overall.forecasts > 100
        changes = sum(row.shown_changes_per_trip for row in method.buckets.values())
        assert changes == pytest.approx(method.overall.shown_changes_per_trip)
        assert (method.overall.coverage is None) == (name != "tracker")
    assert report.methods["router"].buckets["20+"].mae_s is None


async def test_nothing_of_the_future_is_known() -> None:
    """Forecasts until a moment are the same, whatever a trip does afterwards and whenever it arrives."""
    whole = drive("a")
    cut = BEGIN + timedelta(seconds=150)
    stays = tuple(
        msgspec.structs.replace(fix, lat=place(900.0).lat, lon=place(900.0).lon)
        if fix.recorded_at > cut
        else fix
        for fix in whole.fixes
    )
    later = tuple(each + timedelta(hours=1) for each in whole.arrived_at)
    other = msgspec.structs.replace(whole, fixes=stays, arrived_at=later)
    seen, changed = await said(whole, until=cut), await said(other, until=cut)
    assert seen
    assert seen == changed


async def said(trip: RecordedTrip, until: datetime) -> list[tuple[int, datetime, dict[str, MethodForecast]]]:
    moments = await Replay(StraightStreets(), EtaModels(), Baselines()).run([trip])
    return [(each.stop, each.at, each.forecasts) for each in moments if each.at <= until]


async def test_without_any_street_there_are_forecasts_all_the_same() -> None:
    """The straight line, with the widest interval, and no exception."""
    report = await evaluate(day(2), day(1), StraightStreets(broken=True), quiet)
    tracker = report.methods["tracker"].overall
    assert tracker.forecasts > 100
    assert tracker.width_s is not None and tracker.mae_s is not None and tracker.width_s > tracker.mae_s


def test_the_best_constant_is_the_best() -> None:
    """No other one has a smaller mean absolute error."""
    pairs = [(10.0, 30.0), (200.0, 220.0), (100.0, 150.0), (50.0, 20.0)]
    best = best_constant(pairs)
    assert best is not None

    def off(constant: float) -> float:
        return sum(abs(constant * said - real) for said, real in pairs)

    assert all(off(best) <= off(other / 100) + 1e-9 for other in range(400))
    assert best_constant([]) is None


def test_a_bad_file_is_named_with_its_line(tmp_path: Path) -> None:
    """Whoever made the file finds the place; gzipped or not."""
    good = msgspec.json.encode(drive("a"))
    file = tmp_path / "trips.jsonl.gz"
    file.write_bytes(gzip.compress(good + b'\n\n{"trip_id": "b"}\n'))
    with pytest.raises(BadInput, match=r"trips.jsonl.gz:3: .*stops"):
        read_trips(file)
    file.write_bytes(good)
    assert [trip.trip_id for trip in read_trips(file)] == ["a"]
    for broken in (b"", b"{", good.replace(b'"arrived_at":[', b'"arrived_at":["2026-06-01T09:00:00Z",')):
        file.write_bytes(broken)
        with pytest.raises(BadInput, match=r"trips.jsonl.gz"):
            read_trips(file)
    with pytest.raises(BadInput, match="absent"):
        read_trips(tmp_path / "absent")


def test_the_command_prints_json_and_says_what_is_wrong(tmp_path: Path) -> None:
    """On the demo area's map: exact JSON on standard output alone, progress beside it, errors in one line."""
    file = tmp_path / "trips.jsonl"
    file.write_bytes(b"\n".join(msgspec.json.encode(trip) for trip in day(1)))
    command = ["eta", "evaluate", str(file), "--map", str(find_map(Config()).path)]
    environment = {"TRACKER_DATA_DIR": str(tmp_path / "data")}
    result = CliRunner().invoke(main, [*command, "--json", "--learn", str(file), str(file)], env=environment)
    assert result.exit_code == 0, result.output
    report = msgspec.json.decode(result.stdout, type=Report)
    assert report.trips == 1
    assert "Learning from 2 trips: 2 done" in result.stderr
    table = CliRunner().invoke(main, command[:3], env=environment)  # without --map it is the demo area
    assert "router_scaled" in table.stdout
    wrong = CliRunner().invoke(
        main, ["eta", "evaluate", str(tmp_path), "--map", str(find_map(Config()).path)], env=environment
    )
    assert wrong.exit_code == 1
    assert str(tmp_path) in wrong.stderr
