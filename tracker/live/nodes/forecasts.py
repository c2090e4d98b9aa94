"""Forecasts: the ETA of orders, from the nodes that own their drivers' trips."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from tracker.database import Database
from tracker.database.nodes.leases import select_owners
from tracker.domain.eta.estimate import Eta
from tracker.domain.order import Order
from tracker.errors import BusUnavailable, StorageUnavailable
from tracker.eta.feedback import EtaFeedback
from tracker.live.drivers.trips import LiveTrips
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.leases import Leases
from tracker.live.nodes.messages import Etas, WantedEtas

ANSWER_WITHIN_S: Final = 0.5


class Forecasts:
    """The forecasts for merchants, wherever a trip is live."""

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        database: Database,
        trips: LiveTrips,
        leases: Leases,
        exchange: Exchange,
        feedback: EtaFeedback,
        now: Callable[[], datetime],
    ) -> None:
        self._database, self._trips, self._leases, self._exchange = database, trips, leases, exchange
        self._feedback, self._now = feedback, now

    async def of(self, orders: Iterable[Order]) -> dict[str, Eta]:
        """Return the forecasts of the orders whose trips are live; none of a node that does not answer."""
        by_driver: dict[str, list[str]] = {}
        for order in orders:
            if order.driver_id is not None and order.ended_at is None:
                by_driver.setdefault(order.driver_id, []).append(order.id)
        return await self.of_drivers(by_driver)

    async def of_drivers(self, by_driver: dict[str, list[str]], *, recorded: bool = True) -> dict[str, Eta]:
        """Return the forecasts of these open orders by driver; *recorded*: as given to somebody."""
        wanted = await self._by_node(by_driver)
        found = self._here(wanted.pop(self._leases.node, {}), recorded=recorded)
        asked = (self._ask(node, WantedEtas(orders, recorded)) for node, orders in wanted.items())
        for etas in await asyncio.gather(*asked):
            found |= etas
        return found

    async def _by_node(self, by_driver: dict[str, list[str]]) -> dict[str, dict[str, list[str]]]:
        """Group the drivers by the nodes that own their trips; those of nobody belong to this node."""
        here = self._leases.node
        elsewhere = [one for one in by_driver if not self._leases.owns(one)]
        if self._leases.alone or not elsewhere:
            return {here: by_driver}
        try:
            owners = await select_owners(self._database, elsewhere)
        except StorageUnavailable:
            return {here: by_driver}
        wanted: dict[str, dict[str, list[str]]] = {}
        for driver_id, order_ids in by_driver.items():
            owner = owners.get(driver_id)
            wanted.setdefault(here if owner is None else owner.node, {})[driver_id] = order_ids
        return wanted

    def _here(self, by_driver: dict[str, list[str]], *, recorded: bool) -> dict[str, Eta]:
        found = {}
        for driver_id, order_ids in by_driver.items():
            if (live := self._trips.get(driver_id)) is None:
                continue
            for order_id in order_ids:
                if order_id in live.trip.orders:
                    found[order_id] = eta = live.trip.eta(order_id, self._now())
                    if recorded:
                        self._feedback.record_forecast(live.trip, order_id, eta)
        return found

    async def _ask(self, node: str, request: WantedEtas) -> dict[str, Eta]:
        try:
            answer = await self._exchange.ask(node, request, ANSWER_WITHIN_S)
        except BusUnavailable:
            return {}
        return answer.etas if isinstance(answer, Etas) else {}

    def answer(self, request: WantedEtas) -> Etas:
        """Return the forecasts that this node has."""
        return Etas(self._here(request.orders, recorded=request.recorded))
