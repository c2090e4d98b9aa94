"""A customer's session: one live view over WebSocket, server-sent events or polling."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Final

from structlog.contextvars import bind_contextvars

from tracker.api.client_info import client_info
from tracker.api.tracking.link import OpenLink, link_id_of, look_up, record_opening
from tracker.domain.link import Transport
from tracker.errors import StorageUnavailable
from tracker.live.delivery.subscription import Outgoing, Subscription, conflate
from tracker.messages import End, Snapshot, Update, rfc3339
from tracker.node import Node
from tracker.rate_limits import spread

HEARTBEAT_EVERY: Final = 15.0  # seconds; the public interface promises 20
UPDATE_GAP: Final = 0.51  # seconds; a customer gets at most two updates a second, also by their clock


class TrackingSession:
    """Delivers a snapshot or the missed changes, then rate-limited updates, heartbeats, and an end."""

    def __init__(
        self, node: Node, open_link: OpenLink, subscription: Subscription, initial: list[Outgoing]
    ) -> None:
        self.node, self.open_link, self.subscription = node, open_link, subscription
        self._initial = deque(initial)
        self.has_snapshot = any(isinstance(outgoing.message, Snapshot) for outgoing in initial)

    @property
    def cursor(self) -> str:
        """The cursor up to which the customer has everything."""
        heartbeat = self._heartbeat()
        return heartbeat.cursor or ""

    def begin(self) -> None:
        """Queue a heartbeat if there is nothing to send, so that the client sees an immediate response."""
        if not self._initial:
            self._initial.append(self._heartbeat())

    async def next(self) -> Outgoing | None:
        """Return the next message or, when idle, a heartbeat. None: this node stops."""
        if self._initial:
            return self._on_delivery(self._initial.popleft())
        remaining, quiet = self._remaining(), spread(HEARTBEAT_EVERY)
        try:
            async with asyncio.timeout(min(quiet, remaining)):
                outgoing = await self.subscription.next()
        except TimeoutError:
            return Outgoing(End("expired")) if remaining <= quiet else self._heartbeat()
        if outgoing is not None and isinstance(outgoing.message, Update):
            self.subscription.pause(UPDATE_GAP)
        return outgoing if outgoing is None else self._on_delivery(outgoing)

    async def wait(self, seconds: float) -> None:
        """Wait until there is a message, at most *seconds*."""
        if self._initial:
            return
        remaining = self._remaining()
        try:
            async with asyncio.timeout(min(seconds, remaining)):
                await self.subscription.ready()
        except TimeoutError:
            if remaining <= seconds:
                self.subscription.finish(End("expired"))

    def take_all(self) -> list[Outgoing]:
        """Return all waiting messages, with consecutive updates conflated."""
        messages: list[Outgoing] = []
        while (
            outgoing := self._initial.popleft() if self._initial else self.subscription.take()
        ) is not None:
            merged = None if not messages else conflate(messages[-1], outgoing)
            if merged is None:
                messages.append(self._on_delivery(outgoing))
            else:
                messages[-1] = merged
            if isinstance(outgoing.message, End):
                break
        return messages

    def _on_delivery(self, outgoing: Outgoing) -> Outgoing:
        match outgoing.message:
            case Snapshot(visibility="ended", order=order):
                self._initial.append(Outgoing(End(order.status)))  # type: ignore[arg-type]  # an ended one
            case Update():
                self.node.metrics.fix_to_send.observe(perf_counter() - outgoing.since)
        return outgoing

    def _remaining(self) -> float:
        """Seconds until the link expires."""
        if self.open_link.ends_at is None:
            return float("inf")
        return max(0.0, (self.open_link.ends_at - self.node.now()).total_seconds())

    def _heartbeat(self) -> Outgoing:
        now = rfc3339(self.node.now())
        return self.node.hub.heartbeat(self.open_link.order_id, self.subscription, now)


@asynccontextmanager
async def open_session(
    node: Node, token: str, transport: Transport, cursor: str, visit: str = ""
) -> AsyncIterator[TrackingSession]:
    """Open a live view while the block runs; without a valid *cursor*, record an opening of the link.

    Raises NotFound, RateLimited, TooManyConnections, StorageUnavailable.
    """
    if node.fleet.draining:
        raise StorageUnavailable("The server is shutting down; reconnect.")
    client = client_info()
    link_id = link_id_of(node, token)
    async with node.admission.reads:
        open_link = await look_up(node, link_id)
        subscription, initial = await node.fleet.views.subscribe(
            open_link.order_id, open_link.link.id, cursor=cursor, address=client.address
        )
    bind_contextvars(order=open_link.order_id, link=open_link.link.id)
    try:
        open_link = await look_up(node, link_id)  # it may have been revoked before the subscription
        if not node.hub.issued(open_link.order_id, cursor):
            await record_opening(node, open_link, transport, client, visit)
        yield TrackingSession(node, open_link, subscription, initial)
    finally:
        node.fleet.views.unsubscribe(open_link.order_id, subscription)
