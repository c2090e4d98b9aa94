"""FleetSubscription: what one dispatcher has still to receive, however slow the connection is."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import batched
from typing import Final

from tracker.domain.area import Area
from tracker.domain.geo import LonLat
from tracker.live.board.rows import DriverRow, FleetRows
from tracker.rate_limits import spread

UPDATE_GAP_S: Final = 1.0  # between two updates
HEARTBEAT_S: Final = 15.0  # the public interface promises 20
REPLIES_KEPT: Final = 8
ROWS_PER_PART: Final = 500  # of a snapshot: at most about 300 kB


class FleetSubscription:
    """Hands out messages as JSON texts: a snapshot in parts, then what changed, at most once a second.

    It remembers a revision, and with a viewport the place at which the client shows each driver: one that
    leaves the viewport is sent once more, so that none stays in it as a ghost.
    """

    def __init__(self, rows: FleetRows, now: Callable[[], str]) -> None:
        self._rows, self._now = rows, now
        self._parts: Iterator[str] = iter(())
        self._seen = 0  # everything up to this revision was sent, but for positions outside the viewport
        self._viewport: Area | None = None
        self._shown: dict[str, LonLat | None] | None = None  # by driver; None: all as of `_seen`
        self._looks_anew = self._has_news = False
        self._sent_at = 0.0
        self._closing = False
        self._replies: deque[str] = deque(maxlen=REPLIES_KEPT)
        self._woken = asyncio.Event()
        self._begin()

    def look_at(self, viewport: Area | None) -> None:
        """Limit positions to this part of the map from now on; None: no limit."""
        if self._shown is None and viewport is not None:
            known = self._rows.drivers.items()
            self._shown = {id_: row.place for id_, row in known if row.moved_at <= self._seen}
        self._viewport, self._looks_anew = viewport, True
        self.notify()

    def notify(self) -> None:
        """Look for changes."""
        self._has_news = True
        self._woken.set()

    def reply(self, text: str) -> None:
        """Queue a reply to this dispatcher."""
        self._replies.append(text)
        self._woken.set()

    def close(self) -> None:
        """End the subscription, because this node is about to stop."""
        self._closing = True
        self._woken.set()

    def drain(self) -> list[str]:
        """Return everything that there is to send now, without waiting for the pause between updates."""
        found = list(self._parts)
        while (update := self._update()) is not None:
            found += [update, *self._parts]
        return found

    async def next(self) -> str | None:
        """Wait for the next message and return it; None: this node is about to stop."""
        clock = asyncio.get_running_loop().time
        quiet_until = clock() + spread(HEARTBEAT_S)
        while not self._closing:
            if self._replies:
                return self._replies.popleft()
            if (part := next(self._parts, None)) is not None:
                return part
            due_at = self._sent_at + UPDATE_GAP_S if self._has_news else quiet_until
            if self._has_news and clock() >= due_at and (update := self._update()) is not None:
                self._sent_at = clock()
                return update
            if clock() >= quiet_until:
                return f'{{"type":"heartbeat","now":"{self._now()}"}}'
            await self._sleep(min(due_at, quiet_until) - clock())
        return None

    async def _sleep(self, seconds: float) -> None:
        self._woken.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._woken.wait()

    # --- the snapshot

    def _begin(self) -> None:
        """Send everything, from the first part on."""
        self._seen, self._shown = self._rows.revision, None if self._viewport is None else {}
        self._parts = self._snapshot()

    def _snapshot(self) -> Iterator[str]:
        """Yield the parts, each with its rows as they are by then; without those that are gone by then."""
        rows = self._rows
        drivers, orders = list(rows.drivers), list(rows.orders)
        none: tuple[str, ...] = ()
        pages = [(ids, none) for ids in batched(drivers, ROWS_PER_PART)]
        pages += [(none, ids) for ids in batched(orders, ROWS_PER_PART)]
        for number, (driver_ids, order_ids) in enumerate(pages or [(none, none)], 1):
            first, last = str(number == 1).lower(), str(number >= len(pages)).lower()
            yield (
                f'{{"type":"snapshot","now":"{self._now()}","first":{first},"last":{last},'
                f'"drivers":{_list(rows.drivers[id_].whole() for id_ in driver_ids if id_ in rows.drivers)},'
                f'"orders":{_list(rows.orders[id_].whole() for id_ in order_ids if id_ in rows.orders)}}}'
            )

    # --- updates

    def _update(self) -> str | None:
        """Return what changed, or the first part of a snapshot if too much was missed; None: nothing."""
        rows, seen = self._rows, self._seen
        self._has_news = False
        if (gone := rows.gone_since(seen)) is None:
            self._begin()
            return next(self._parts)
        drivers = list(self._changed_drivers())
        orders = [row.whole() for row in rows.orders_since(seen)]
        self._seen, self._looks_anew = rows.revision, False
        if not (drivers or orders or gone):
            return None
        gone_drivers = [one.id for one in gone if one.is_driver and one.id not in rows.drivers]
        gone_orders = [one.id for one in gone if not one.is_driver and one.id not in rows.orders]
        return (
            f'{{"type":"update","now":"{self._now()}","drivers":{_list(drivers)},"orders":{_list(orders)},'
            f'"gone_drivers":{_ids(gone_drivers)},"gone_orders":{_ids(gone_orders)}}}'
        )

    def _changed_drivers(self) -> Iterator[bytes]:
        """Yield the drivers to send; while the viewport is new, those in it that moved before, too."""
        rows, seen = self._rows, self._seen
        for row in rows.drivers.values() if self._looks_anew else rows.drivers_since(seen):
            is_changed = row.changed_at > seen
            if self._wants_position(row):
                if self._shown is not None:
                    self._shown[row.wire.id] = row.place
                yield row.whole() if is_changed else row.move()
            elif is_changed:
                yield row.state()

    def _wants_position(self, row: DriverRow) -> bool:
        """Whether the client has an older position, and one of the two is in its viewport."""
        if self._shown is None:
            return row.moved_at > self._seen
        id_ = row.wire.id
        if id_ in self._shown and self._shown[id_] is row.place:
            return False
        if self._viewport is None or id_ not in self._shown:
            return True
        places = (row.place, self._shown[id_])
        return any(place is not None and self._viewport.holds(place) for place in places)


def _list(items: Iterable[bytes]) -> str:
    return f"[{b','.join(items).decode()}]"


def _ids(ids: Iterable[str]) -> str:
    return f"[{','.join(f'"{id_}"' for id_ in ids)}]"
