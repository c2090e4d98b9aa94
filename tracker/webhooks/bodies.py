"""EventBodies: events as merchants get them, with what their orders are now."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from tracker.database import Database
from tracker.database.links import select_links_of_orders
from tracker.domain.eta.estimate import Eta
from tracker.domain.events.event import Event
from tracker.domain.link import Link
from tracker.domain.order import Order
from tracker.messages.events import WireEvent, wire_event
from tracker.tokens import LinkTokens


class EventBodies:
    """Makes the bodies of events. *etas* returns the present forecasts of orders, by order."""

    def __init__(
        self,
        database: Database,
        link_tokens: LinkTokens,
        etas: Callable[[Iterable[Order]], Awaitable[Mapping[str, Eta]]],
        now: Callable[[], datetime],
    ) -> None:
        self._database, self._link_tokens, self._etas, self._now = database, link_tokens, etas, now

    async def of(self, events: Sequence[Event], base_url: str) -> list[WireEvent]:
        """Return the events, with tracking links that start with *base_url*. Raises StorageUnavailable."""
        order_ids = {event.order.order.id for event in events if event.order is not None}
        links: dict[str, list[Link]] = {}
        for link in await select_links_of_orders(self._database, sorted(order_ids)) if order_ids else ():
            links.setdefault(link.order_id, []).append(link)
        current = [
            event.order.order for event in events if event.order is not None and event.order.is_current
        ]
        etas = await self._etas(current)
        return [self._body(event, links, etas, base_url) for event in events]

    def _body(
        self, event: Event, links: dict[str, list[Link]], etas: Mapping[str, Eta], base_url: str
    ) -> WireEvent:
        if (then := event.order) is None:
            return wire_event(event, tracking_url=None, eta=None)
        present = msgspec.structs.replace(then.order, closed_at=then.closed_at)
        valid = (link for link in links.get(then.order.id, ()) if link.is_live(present, self._now()))
        url = next((f"{base_url}/t/{self._link_tokens.token(link.id)}" for link in valid), None)
        return wire_event(event, tracking_url=url, eta=etas.get(then.order.id) if then.is_current else None)
