"""ForecastWatch: reports orders that will be late, and arrival times that have changed, watched or not."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final

import structlog

from tracker.database import Database
from tracker.database.events.reported import report_forecast, select_forecast_reports
from tracker.domain.eta.estimate import Eta
from tracker.domain.events.event import EventType
from tracker.domain.events.forecast_watch import Doubts, ForecastReport, judge_forecast
from tracker.domain.order import Order
from tracker.errors import StorageUnavailable
from tracker.live.drivers.trip import LiveTrip
from tracker.messages import rfc3339

CHECK_INTERVAL_S: Final = 5.0
TRIPS_PER_YIELD: Final = 20

log = structlog.get_logger()


class ForecastWatch:
    """Looks at the forecasts of this node's trips every few seconds. The database holds what was reported."""

    def __init__(
        self,
        database: Database,
        trips: Iterable[LiveTrip],
        owns: Callable[[str], bool],
        now: Callable[[], datetime],
    ) -> None:
        self._database, self._trips, self._owns, self._now = database, trips, owns, now
        self._reports: dict[str, ForecastReport] = {}  # of orders on live trips, as stored
        self._doubts: dict[str, Doubts] = {}

    async def watch_forever(self) -> None:
        """Check until cancelled; a failed check is repeated."""
        fails = False
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            failed = fails
            try:
                await self.check()
                fails = False
            except StorageUnavailable:
                fails = True
            if fails and not failed:
                log.warning("forecast_reports_delayed")

    async def check(self) -> None:
        """Judge the present forecast of each order. Raises StorageUnavailable."""
        trips = [live for live in self._trips if self._owns(live.trip.driver.id)]
        orders = {order_id: order for live in trips for order_id, order in live.trip.orders.items()}
        await self._read(orders)
        for number, live in enumerate(trips):
            if number % TRIPS_PER_YIELD == 0:
                await asyncio.sleep(0)
            for order, eta in self._forecasts(live):
                await self._judge(order, eta)

    def _forecasts(self, live: LiveTrip) -> Iterator[tuple[Order, Eta]]:
        for order_id, order in list(live.trip.orders.items()):
            eta = live.trip.eta(order_id, self._now())
            if eta.arrives_at is not None and not eta.stale and order_id in self._doubts:
                yield order, eta

    async def _read(self, orders: dict[str, Order]) -> None:
        """Forget orders that left, and read what was reported about new ones and new attempts."""
        self._reports = {id_: one for id_, one in self._reports.items() if id_ in orders}
        self._doubts = {id_: one for id_, one in self._doubts.items() if id_ in orders}
        new = [
            id_
            for id_, order in orders.items()
            if id_ not in self._reports or self._reports[id_].attempt != order.attempt
        ]
        found = await select_forecast_reports(self._database, new) if new else {}
        for id_ in new:
            stored, attempt = found.get(id_), orders[id_].attempt
            is_present = stored is not None and stored.attempt == attempt
            self._reports[id_] = stored if stored is not None and is_present else ForecastReport(attempt)
            self._doubts[id_] = Doubts()

    async def _judge(self, order: Order, eta: Eta) -> None:
        before, now = self._reports[order.id], self._now()
        assert eta.arrives_at is not None  # `_forecasts` yields no other
        after, doubts, events = judge_forecast(
            before,
            self._doubts[order.id],
            eta.arrives_at,
            window_to=order.window_to,
            is_picked_up=order.picked_up_at is not None,
            now=now,
        )
        if after != before:
            details = {type_: _detail(type_, before) for type_ in events}
            if not await report_forecast(self._database, order.id, before, after, events=details, eta=eta):
                del self._reports[order.id]  # read again what another node has stored
                del self._doubts[order.id]
                return
            for type_ in events:
                log.info("forecast_reported", order=order.id, event_type=type_)
        self._reports[order.id], self._doubts[order.id] = after, doubts


def _detail(type_: EventType, before: ForecastReport) -> dict[str, object]:
    """Return what the event adds: the arrival that was reported before."""
    if type_ != "order.eta_changed" or before.reported_at is None:
        return {}
    return {"previous_arrives_at": rfc3339(before.reported_at)}
