"""`/v1/orders/…/eta/history` and `/v1/reports/eta`: what was shown, held against what came true."""

import asyncio
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from tests.api.merchant import all_pages, backdate, parse, problem, rfc3339, send_fixes, wrong_fields
from tests.service import Service, hear

START = (60.1713, 24.9440)
END = (60.1666, 24.9486)
STEPS = 6
STEP = 15.0  # seconds between two fixes, by the device's clock
EMPTY = {"mae_s": None, "mape": None, "bias_s": None, "coverage": None, "width_s": None}


class Trip(msgspec.Struct):
    """An order that was watched, driven and delivered."""

    order: Any
    seen: list[Any]  # the forecasts that the customer was told


def part_of_the_way(share: float) -> dict[str, float]:
    return {
        "lat": START[0] + share * (END[0] - START[0]),
        "lon": START[1] + share * (END[1] - START[1]),
        "speed": 6.0,
    }


async def drive(service: Service, driver: Any, order: Any) -> list[Any]:
    """Six fixes on the way, as after a dead zone; the forecasts that a customer who watches was told."""
    told: list[Any] = []
    async with service.watch(order) as socket:
        await hear(socket, "snapshot")
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
        begin = datetime.now(UTC) - timedelta(seconds=STEP * STEPS)
        for number in range(STEPS):
            at = rfc3339(begin + timedelta(seconds=STEP * number))
            await send_fixes(service, driver["token"], {"recorded_at": at, **part_of_the_way(number / STEPS)})
            async with asyncio.timeout(5):
                while True:
                    update = await hear(socket, "update")
                    if update.get("eta"):
                        told.append(update["eta"])
                    if (update.get("position") or {}).get("recorded_at") == at:
                        break
    return told


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trip(service: Service) -> Trip:
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    told = await drive(service, driver, order)
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
    return Trip(await service.get(f"/v1/orders/{order['id']}"), told)


async def history(service: Service, order: Any, **query: Any) -> Any:
    answer = await service.http.get(f"/v1/orders/{order['id']}/eta/history", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_was_shown_is_kept_with_what_it_knew(service: Service, trip: Trip) -> None:
    """Each kept forecast is one that the customer was told; it names the newest fix and the progress."""
    kept = (await history(service, trip.order))["items"]
    assert kept
    shown = {(eta["computed_at"], eta["arrives_at"], eta["earliest"], eta["latest"]) for eta in trip.seen}
    from_api = [
        item
        for item in kept
        if (item["computed_at"], item["arrives_at"], item["earliest"], item["latest"]) not in shown
    ]
    assert len(from_api) < len(kept)  # the rest was answered by the API when the order was changed
    for item in kept:
        assert item["earliest"] <= item["arrives_at"] <= item["latest"]
        assert item["basis"] in {"route", "straight_line"}
        assert item["last_fix_at"] <= item["computed_at"]
    assert any(item["progress_m"] is not None for item in kept)


async def test_errors_are_known_once_the_order_has_arrived(service: Service, trip: Trip) -> None:
    """Foretold minus real, against the moment that is told; whether the interval held it."""
    page = await history(service, trip.order)
    assert page["arrived_at"] is not None
    arrived = parse(page["arrived_at"])
    for item in page["items"]:
        error = (parse(item["arrives_at"]) - arrived).total_seconds()
        assert item["error_s"] == pytest.approx(error, abs=0.002)
        held = parse(item["earliest"]) <= arrived <= parse(item["latest"])
        assert item["held"] == held


async def test_no_error_is_known_on_the_way(service: Service) -> None:
    """Before the arrival there are forecasts and nothing to hold them against."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    at = rfc3339(datetime.now(UTC))
    await send_fixes(service, driver["token"], {"recorded_at": at, **part_of_the_way(0.0)})
    eta = await service.get(f"/v1/orders/{order['id']}/eta")
    page = await history(service, order)
    assert page["arrived_at"] is None
    assert page["items"][-1]["arrives_at"] == eta["arrives_at"]
    assert {(item["error_s"], item["held"]) for item in page["items"]} == {(None, None)}


async def test_a_forecast_that_says_nothing_new_is_not_kept_again(service: Service) -> None:
    """Whoever asks a hundred times in a second gets a hundred answers, and one of them is kept."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    at = rfc3339(datetime.now(UTC))
    await send_fixes(service, driver["token"], {"recorded_at": at, **part_of_the_way(0.2)})
    for _ in range(50):
        assert (await service.get(f"/v1/orders/{order['id']}/eta"))["basis"] != "none"
    assert len((await history(service, order))["items"]) <= 3  # straight line, route, and one that moved


async def test_an_order_without_a_driver_has_no_forecasts(service: Service) -> None:
    """Basis none foretells nothing, and is not kept."""
    order = await service.new_order()
    assert (await service.get(f"/v1/orders/{order['id']}/eta"))["basis"] == "none"
    assert await history(service, order) == {"items": [], "next": None, "arrived_at": None}


async def test_the_history_comes_in_pages(service: Service, trip: Trip) -> None:
    """The earliest first, each forecast once."""
    whole = (await history(service, trip.order))["items"]
    pages = await all_pages(service, f"/v1/orders/{trip.order['id']}/eta/history", limit=1)
    assert pages == whole
    assert [item["computed_at"] for item in whole] == sorted(item["computed_at"] for item in whole)


async def test_an_unknown_order_has_no_history(service: Service) -> None:
    """404, as everywhere."""
    problem(await service.http.get("/v1/orders/ord_nobody/eta/history"), 404, "not-found")


# --- the report


async def report(service: Service, **query: str) -> Any:
    params = {name.rstrip("_"): value for name, value in query.items()}
    answer = await service.http.get("/v1/reports/eta", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


MADE: tuple[tuple[float, float, float], ...] = (  # seconds before the arrival, error, half the interval
    *((1500.0, 300.0, 200.0), (900.0, -100.0, 150.0), (400.0, 40.0, 60.0), (200.0, 10.0, 60.0)),
    *((100.0, 20.0, 10.0), (20.0, 500.0, 1.0)),
)


async def made_long_ago(url: str, order: Any, driver: Any, arrived: datetime) -> None:
    """Forecasts as a node would have kept them while the order was on its way."""
    connection = await asyncpg.connect(url)
    number = await connection.fetchval("SELECT number FROM drivers WHERE id = $1", driver["id"])
    for before, error, half in MADE:
        arrives = arrived + timedelta(seconds=error)
        interval = (arrives - timedelta(seconds=half), arrives + timedelta(seconds=half))
        await connection.execute(
            "INSERT INTO eta_forecasts (order_id, made_at, driver, arrives_at, earliest, latest, "
            "stops_before, basis, stale) VALUES ($1, $2, $3, $4, $5, $6, 0, 'route', false)",
            *(order["id"], arrived - timedelta(seconds=before), number, arrives, *interval),
        )
    await connection.execute("INSERT INTO eta_open_accounts VALUES ($1)", order["id"])
    await connection.close()


def about(value: float) -> Any:
    return pytest.approx(value, abs=1e-4)


def row(*made: tuple[float, float, float]) -> dict[str, Any]:
    """What the report has to say of these forecasts of one order."""
    return {
        "forecasts": len(made),
        "mae_s": about(fmean(abs(error) for _, error, _ in made)),
        "mape": about(fmean(abs(error) / before for before, error, _ in made)),
        "bias_s": about(fmean(error for _, error, _ in made)),
        "coverage": about(fmean(abs(error) <= half for _, error, half in made)),
        "width_s": about(fmean(2 * half for _, _, half in made)),
    }


async def test_the_report_adds_up_what_was_foretold(service: Service, service_database: str) -> None:
    """By true time to go, hour and driver; forecasts with less than 30 s to go are not counted."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    arrived = datetime(2026, 5, 4, 12, 10, tzinfo=UTC)
    await backdate(service_database, order, datetime.now(UTC) - arrived + timedelta(hours=1))
    await made_long_ago(service_database, order, driver, arrived)
    path = f"/v1/orders/{order['id']}/status"
    await service.post(path, {"status": "picked_up", "at": rfc3339(arrived - timedelta(minutes=8))})
    await service.post(path, {"status": "delivered", "at": rfc3339(arrived)})
    page = await history(service, order)
    assert [(item["error_s"], item["held"]) for item in page["items"]] == [
        (error, abs(error) <= half) for _, error, half in MADE
    ]
    window = {"from_": rfc3339(arrived), "to": rfc3339(arrived + timedelta(milliseconds=1))}
    said = await report(service, **window)
    counted = MADE[:-1]
    assert (said["orders"], said["overall"]) == (1, row(*counted))
    assert said["buckets"] == {
        label: row(made) for label, made in zip(("20+", "10-20", "5-10", "2-5", "0-2"), counted, strict=True)
    }
    assert said["hours"] == [{"hour": 11, **row(*counted[:2])}, {"hour": 12, **row(*counted[2:])}]
    assert said["drivers"] == [{"driver_id": driver["id"], **row(*counted)}]
    before = {"from_": rfc3339(arrived - timedelta(days=1)), "to": rfc3339(arrived)}
    assert (await report(service, **before))["overall"]["forecasts"] == 0
    assert (await service.http.delete(f"/v1/drivers/{driver['id']}")).status_code == 204
    assert (await report(service, **window))["drivers"] == [{"driver_id": None, **row(*counted)}]


async def test_the_window_is_whole_and_bounded(service: Service) -> None:
    """At most 92 days, not empty, with offsets; a week where nothing is given."""
    usual = await report(service)
    assert parse(usual["to"]) - parse(usual["from"]) == timedelta(days=7)
    longest = await report(service, from_="2026-01-01T00:00:00Z", to="2026-04-03T00:00:00Z")
    assert longest["overall"] == {"forecasts": 0, **EMPTY}
    assert set(longest["buckets"]) == {"0-2", "2-5", "5-10", "10-20", "20+"}
    assert (longest["hours"], longest["drivers"]) == ([], [])
    for query, field in (
        ("from=2026-01-01T00:00:00Z&to=2026-04-03T00:00:01Z", "from"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-02T01:00:00%2B01:00", "to"),
        ("from=yesterday", "from"),
        ("since=2026-01-02T00:00:00Z", "since"),
    ):
        assert wrong_fields(await service.http.get(f"/v1/reports/eta?{query}")) == [field]


async def test_only_who_may_read_sees_them(service: Service, trip: Trip) -> None:
    """Without a key there is neither."""
    for path in (f"/v1/orders/{trip.order['id']}/eta/history", "/v1/reports/eta"):
        answer = await service.http.get(path, headers={"Authorization": "Bearer nobody"})
        problem(answer, 401, "unauthenticated")


async def test_the_error_is_measured(service: Service, trip: Trip) -> None:
    """The metric counts an order once, by its first forecast after the pickup."""
    await report(service)
    text = (await service.http.get("/metrics")).text
    count = next(line for line in text.splitlines() if line.startswith("tracker_eta_error_seconds_count"))
    assert float(count.split()[1]) >= 1
    assert 'tracker_eta_forecasts_total{result="stored"}' in text
