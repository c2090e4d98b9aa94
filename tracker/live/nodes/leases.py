"""Leases: which trips this node owns. A node that does not renew its row for five seconds owns none.

The node believes in its leases for five seconds from before its last renewal, which ends earlier than the
database's five seconds. So a node that was frozen knows it, and asks before it goes on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import Final

import structlog

from tracker.database import Connection, Database
from tracker.database.nodes.leases import (
    Owner,
    beat,
    delete_node,
    outdate_lease,
    release_leases,
    select_leases,
    select_owners,
    take_lease,
)
from tracker.domain.order import Driver
from tracker.errors import StorageUnavailable
from tracker.tokens import new_id

LASTS_S: Final = 5.0
BEAT_EVERY_S: Final = 1.5
BEAT_TIMEOUT_S: Final = 1.0  # a slower database counts as away, and live views go on
SURE_WITHIN_S: Final = 5.0  # a caller waits so long while this node stands still
FROZEN_AFTER_S: Final = 3.0  # without an attempt to renew: this process stood still

log = structlog.get_logger()


class Leases:
    """The leases of this node, renewed with one statement during `running`.

    While the database is away nobody can become an owner, so the owners go on. A node that has lost the bus,
    too, may be cut off from both while the others change orders and owners: it stands still.
    """

    def __init__(
        self,
        database: Database,
        node: str = "",
        hears_others: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Create the leases. *hears_others*: whether messages of other nodes reach this one now."""
        self.node: Final = node or new_id("node")
        self._hears_others = hears_others
        self.others: frozenset[str] = frozenset()  # nodes that ran at the last renewal
        self._database, self._clock = database, clock
        self._generations: dict[str, int] = {}  # of owned trips, by driver
        self._valid_until = clock() + LASTS_S
        self._attempted_at = clock()
        self._is_away = False  # the database, at the last attempt
        self._renewed = asyncio.Condition()
        self._lost: list[str] = []
        self._gone: set[str] = set()
        self._has_returned = False
        self._renewing: asyncio.Task[None]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Renew during the block, and release everything at its end."""
        with suppress(StorageUnavailable):
            await self._renew()
        self._renewing = asyncio.create_task(self._renew_forever())
        try:
            yield
        finally:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
            with suppress(StorageUnavailable):
                await delete_node(self._database, self.node)

    @property
    def alone(self) -> bool:
        """Whether no other node ran at the last renewal."""
        return not self.others

    @property
    def is_sure(self) -> bool:
        """Whether this node may act for the trips that it owns.

        False after it stood still, until it has asked the database.
        """
        now = self._clock()
        if now < self._valid_until:
            return True
        is_informed = self.alone or self._hears_others()
        return self._is_away and is_informed and now - self._attempted_at < FROZEN_AFTER_S

    @property
    def is_cut_off(self) -> bool:
        """Whether other nodes may have changed what this node would show."""
        return not self.alone and not self.is_sure

    def owns(self, driver_id: str) -> bool:
        """Whether this node owns the driver's trip, and may act for it."""
        return driver_id in self._generations and self.is_sure

    @property
    def owned(self) -> list[str]:
        """The drivers whose trips this node owns."""
        return list(self._generations)

    def generation(self, driver_id: str) -> int:
        """Return the generation of an owned trip; 0 if it is not owned."""
        return self._generations.get(driver_id, 0)

    async def sure(self) -> None:
        """Wait until `is_sure`, for at most SURE_WITHIN_S. Raises StorageUnavailable."""
        try:
            async with asyncio.timeout(SURE_WITHIN_S), self._renewed:
                await self._renewed.wait_for(lambda: self.is_sure)
        except TimeoutError:
            raise StorageUnavailable("This node has lost the database and the others; retry later.") from None

    async def take(self, driver_id: str) -> Owner:
        """Become the owner of the driver's trip, unless another running node is; return the owner.

        Raises NotFound, StorageUnavailable.
        """
        await self.sure()
        owner = await take_lease(self._database, driver_id, self.node)
        if owner.node == self.node:
            self._generations[driver_id] = owner.generation
        else:
            self._generations.pop(driver_id, None)
        return owner

    async def release(self, driver_ids: Iterable[str]) -> None:
        """Give up these trips; return after the commit. Raises StorageUnavailable."""
        given_up = [one for one in driver_ids if self._generations.pop(one, None) is not None]
        if given_up:
            await release_leases(self._database, self.node, given_up)

    def forget(self, driver_id: str) -> None:
        """Forget the lease of a driver who was erased, or whose trip another node owns now."""
        self._generations.pop(driver_id, None)

    def take_lost(self) -> list[str]:
        """Return the drivers whose trips another node has taken since the last call."""
        lost, self._lost = self._lost, []
        return lost

    def take_return(self) -> bool:
        """Return whether the leases were renewed, after they had run out, since the last call."""
        has_returned, self._has_returned = self._has_returned, False
        return has_returned

    def take_gone(self) -> set[str]:
        """Return the nodes that stopped running since the last call."""
        gone, self._gone = self._gone, set()
        return gone

    async def outdate(self, connection: Connection, driver: Driver) -> None:
        """Make other nodes read the driver again, in a transaction that changes what trips hold of them."""
        generation = await outdate_lease(connection, driver.number)
        if driver.id in self._generations:
            self._generations[driver.id] = generation

    async def owner(self, driver_id: str) -> Owner | None:
        """Return the other running node that owns the driver's trip. Raises StorageUnavailable."""
        if self.alone or self.owns(driver_id):
            return None
        owner = (await select_owners(self._database, [driver_id])).get(driver_id)
        return None if owner is None or owner.node == self.node else owner

    async def owned_anywhere(self, driver_ids: Collection[str]) -> set[str]:
        """Return the drivers whose trips a running node owns. Raises StorageUnavailable."""
        return set(await select_owners(self._database, driver_ids))

    async def owned_elsewhere(self, driver_ids: Collection[str]) -> set[str]:
        """Return the drivers whose trips other running nodes own. Raises StorageUnavailable."""
        if self.alone or not driver_ids:
            return set()
        owners = await select_owners(self._database, driver_ids)
        return {driver_id for driver_id, owner in owners.items() if owner.node != self.node}

    # --- renewal

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(BEAT_EVERY_S if self.is_sure else 0.1)
            with suppress(StorageUnavailable):
                await self._renew()

    async def _renew(self) -> None:
        """Renew this node's row once. Raises StorageUnavailable."""
        began = looked = self._clock()
        beating = asyncio.create_task(beat(self._database, self.node, timedelta(seconds=LASTS_S)))
        try:
            while not (await asyncio.wait([beating], timeout=BEAT_TIMEOUT_S))[0]:
                await self._note_away(looked)
                looked = self._clock()
            others = beating.result()
            if self._clock() >= self._valid_until:
                await self._verify()
                self._has_returned = True
        except StorageUnavailable:
            await self._note_away(looked)
            raise
        finally:
            beating.cancel()
        self._gone |= self.others - others
        self.others, self._valid_until, self._is_away = others, began + LASTS_S, False
        async with self._renewed:
            self._renewed.notify_all()

    async def _note_away(self, looked: float) -> None:
        """Note that the database did not answer since *looked*, unless this process stood still meanwhile."""
        self._attempted_at = self._clock()
        self._is_away = self._attempted_at - looked < 2 * BEAT_TIMEOUT_S
        async with self._renewed:
            self._renewed.notify_all()

    async def _verify(self) -> None:
        """Find out which trips other nodes have taken since the row of this node expired."""
        kept = await select_leases(self._database, self.node)
        lost = [driver_id for driver_id in self._generations if driver_id not in kept]
        for driver_id in lost:
            del self._generations[driver_id]
        self._lost += lost
        if lost:
            log.warning("leases_lost", drivers=len(lost))
