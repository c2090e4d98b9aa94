"""ViewSender: sends the views of trips that this node owns to the nodes whose customers watch them."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from time import monotonic
from typing import Final

import msgspec
from msgspec import UNSET

from tracker.errors import NotFound, StorageUnavailable
from tracker.live.delivery.channel import Channel
from tracker.live.delivery.hub import Hub
from tracker.live.delivery.publisher import Publisher
from tracker.live.drivers.trips import LiveTrips
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.leases import Leases
from tracker.live.nodes.messages import Views, ViewState, Watch, WatchedOrder
from tracker.messages import Update

WATCH_LASTS_S: Final = 10.0  # without another Watch; nodes send one every three seconds
FLUSH_EVERY_S: Final = 0.005
STATES_PER_MESSAGE: Final = 50
LINE_PLACES_PER_MESSAGE: Final = 8_000  # about 150 kB; a NATS server takes 1 MB


class RemoteWatch:
    """The nodes that watch one order, and the lines that they have not been sent."""

    __slots__ = ("_queue", "channel", "driver_id", "nodes", "order_id", "route_due", "trail_due")

    def __init__(self, order: WatchedOrder, channel: Channel, queue: "Callable[[RemoteWatch], None]") -> None:
        self.order_id, self.driver_id, self.channel = order.order_id, order.driver_id, channel
        self.nodes: dict[str, float] = {}  # until when, by `monotonic`
        self.route_due = self.trail_due = False
        self._queue = queue

    def offer(self, update: Update) -> None:
        """Queue the order's state, with the lines that *update* changes."""
        self.route_due |= update.route is not UNSET
        self.trail_due |= update.trail is not UNSET
        self._queue(self)

    def state(self, *, route: bool, trail: bool) -> ViewState:
        """Return the whole state; each line only if wanted."""
        channel = self.channel
        fields = dict(channel.state)
        if not route:
            del fields["route"]
        if not trail:
            del fields["trail"]
        assert channel.view is not None
        return ViewState(
            self.order_id,
            self.driver_id,
            channel.view.order.version,
            channel.tag,
            channel.revision,
            channel.changed.get("route", 0),
            channel.changed.get("trail", 0),
            Update(cursor="", now="", **fields),
        )


class ViewSender:
    """Answers the nodes that watch orders of owned trips, and sends them each change.

    A change is sent at once if none was in the last FLUSH_EVERY_S. Otherwise it shares a message with others,
    because a message costs as much as twenty states.
    """

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        hub: Hub,
        publisher: Publisher,
        trips: LiveTrips,
        leases: Leases,
        exchange: Exchange,
        now: Callable[[], datetime],
    ) -> None:
        self._hub, self._publisher, self._trips = hub, publisher, trips
        self._leases, self._exchange, self._now = leases, exchange, now
        self._watches: dict[str, RemoteWatch] = {}
        self._due: dict[RemoteWatch, None] = {}
        self._flushed_at = 0.0

    async def watch(self, request: Watch) -> None:
        """Send the orders' states where they differ from what the node knows, and each change from now on."""
        states: list[ViewState] = []
        current, not_owned = [], []
        for order in request.orders:
            watch = await self._watch_of(order)
            if watch is None:
                not_owned.append(order.order_id)
                continue
            watch.nodes[request.node] = monotonic() + WATCH_LASTS_S
            if (order.tag, order.revision) == (watch.channel.tag, watch.channel.revision):
                current.append(order.order_id)
            else:
                states.append(watch.state(route=True, trail=True))
        self._send(request.node, states, current=current, not_owned=not_owned)

    async def _watch_of(self, order: WatchedOrder) -> RemoteWatch | None:
        """Return the watch of an order on an owned trip, with its channel up to date; None: not owned."""
        if not self._leases.owns(order.driver_id):
            return None
        try:
            trip = (await self._trips.of(order.driver_id)).trip
        except (NotFound, StorageUnavailable):
            return None
        if order.order_id not in trip.orders:
            return None
        channel = self._hub.open(order.order_id)
        watch = self._watches.get(order.order_id)
        if watch is None or channel.remote is not watch or watch.driver_id != order.driver_id:
            now = self._now()
            channel.follows = False
            self._publisher.refresh(trip.view(order.order_id, now), now)
            watch = self._watches[order.order_id] = RemoteWatch(order, channel, self._queue)
            channel.remote = watch
        return watch

    def _queue(self, watch: RemoteWatch) -> None:
        if not self._due:
            loop = asyncio.get_running_loop()
            wait_s = self._flushed_at + FLUSH_EVERY_S - loop.time()
            loop.call_later(wait_s, self._flush) if wait_s > 0.0 else loop.call_soon(self._flush)
        self._due[watch] = None

    def _flush(self) -> None:
        self._flushed_at = asyncio.get_running_loop().time()
        due, self._due = self._due, {}
        by_node: dict[str, list[ViewState]] = {}
        for watch in due:
            if watch.channel.remote is not watch or not self._leases.owns(watch.driver_id):
                continue
            state = watch.state(route=watch.route_due, trail=watch.trail_due)
            watch.route_due = watch.trail_due = False
            for node in watch.nodes:
                by_node.setdefault(node, []).append(state)
        for node, states in by_node.items():
            self._send(node, states)

    def _send(
        self,
        node: str,
        states: Iterable[ViewState],
        *,
        current: Iterable[str] = (),
        not_owned: Iterable[str] = (),
    ) -> None:
        pack: list[ViewState] = []
        places = 0
        for state in states:
            pack.append(state)
            places += line_places(state.fields)
            if len(pack) >= STATES_PER_MESSAGE or places >= LINE_PLACES_PER_MESSAGE:
                self._exchange.publish_node(node, Views(self._exchange.node, pack))
                pack, places = [], 0
        current, not_owned = list(current), list(not_owned)
        if pack or current or not_owned:
            self._exchange.publish_node(node, Views(self._exchange.node, pack, current, not_owned))

    def prune(self) -> None:
        """Forget nodes that no longer watch, and orders that nobody watches or that left the trip."""
        now = monotonic()
        for order_id, watch in list(self._watches.items()):
            for node in [node for node, until in watch.nodes.items() if until < now]:
                del watch.nodes[node]
            live = self._trips.get(watch.driver_id)
            gone = live is None or order_id not in live.trip.orders or not self._leases.owns(watch.driver_id)
            if gone or not watch.nodes:
                del self._watches[order_id]
                if watch.channel.remote is watch:
                    watch.channel.remote = None


def line_places(update: Update) -> int:
    """Return the number of places of the lines in an update."""
    lines = (update.route, update.trail)
    return sum(len(line.coordinates) for line in lines if line is not None and line is not msgspec.UNSET)
