"""Affairs: what the merchant does meanwhile, on any node, that others must not see: reassign and revoke.

An order goes back and forth between two drivers who are far from each other, so that the judge can tell whose
position a customer is shown. One of them also carries another customer's order past whose door they drive.
"""

import asyncio
from typing import TYPE_CHECKING, Final

import httpx

from tests.faults.customer import Customer
from tests.faults.device import Device
from tests.faults.world import PLACES, post
from tests.privacy.recording import verdict
from tests.service import token_of
from tests.waiting import becomes_true

if TYPE_CHECKING:
    from tests.faults.nodes.several import Several

HOMES: Final = ((60.1668, 24.9470), (60.1700, 24.9525))
DOOR: Final = {"lat": 60.1668, "lon": 24.9490}  # on the way of the first
EVERY: Final = 2.0  # seconds
JUDGED_EVERY: Final = 10  # affairs
SHOWN: Final = {"position": "always", "route": "always"}


class Affairs:
    """The `handed` counts assignments, `revoked` links that customers watched."""

    def __init__(self, world: "Several") -> None:
        self._world = world
        self._drivers: list[Device] = []
        self._customers: list[Customer] = []
        self._order = ""
        self.handed = self.revoked = self.refused = 0

    async def begin(self) -> None:
        world = self._world
        self._drivers = [await world.new_spare(home) for home in HOMES]
        first = self._drivers[0].driver_id
        async with world.node.merchant() as http:
            order = await post(http, "/v1/orders", {**PLACES, "driver_id": first, "visibility": SHOWN})
            beside = {**PLACES, "dropoff": DOOR, "driver_id": first, "visibility": SHOWN}
            other = await post(http, "/v1/orders", beside)
        self._order = order["id"]
        for one in (order, order, other):
            self._customers.append(world.new_customer(token_of(one)))

    async def go_on(self) -> None:
        """Until cancelled; what is refused while something is wrong is tried again later."""
        number = 0
        while True:
            await asyncio.sleep(EVERY)  # simulates a merchant
            number += 1
            try:
                await (self._reassign() if number % 2 else self._revoke())
            except (httpx.TransportError, AssertionError):
                self.refused += 1
                if self._world.is_calm:
                    raise
            if number % JUDGED_EVERY == 0:
                self.judge()

    async def end(self) -> None:
        await self._world.stop(self)
        for customer in self._customers:
            await self._world.stop(customer)
        self.judge()

    def judge(self) -> None:
        """Hold what all nodes have said against the rules of privacy; no request may be under way."""
        self._world.violations += [f"privacy: {broken}" for broken in verdict()]

    async def _reassign(self) -> None:
        driver = self._drivers[(self.handed + 1) % 2].driver_id
        async with self._world.node.merchant(timeout=10.0) as http:
            await post(http, f"/v1/orders/{self._order}/assign", {"driver_id": driver})
        self.handed += 1

    async def _revoke(self) -> None:
        world = self._world
        async with world.node.merchant(timeout=10.0) as http:
            link = await post(http, f"/v1/orders/{self._order}/links", {})
        customer = world.new_customer(link["url"].rsplit("/", 1)[1], world.customers_network)
        try:
            if not await becomes_true(lambda: customer.shows is not None, 10.0):
                return
            async with world.node.merchant(timeout=10.0) as http:
                answer = await http.delete(f"/v1/orders/{self._order}/links/{link['id']}")
            assert answer.is_success, answer.text
            if not await becomes_true(lambda: customer.is_out, world.room_now()):
                world.violations.append(f"a revoked link was live for {world.room_now():.0f} s")
            self.revoked += 1
        finally:
            await world.stop(customer)
