"""Opens what a node needs for events: the feed, their bodies, and the sender of webhooks."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from tracker.config import Config
from tracker.config.secret import secret_of
from tracker.database import Database
from tracker.domain.eta.estimate import Eta
from tracker.domain.order import Order
from tracker.metrics import Metrics
from tracker.tokens import LinkTokens, WebhookSecrets
from tracker.webhooks.bodies import EventBodies
from tracker.webhooks.feed import EventFeed
from tracker.webhooks.poster import Poster
from tracker.webhooks.sender import WebhookSender


@asynccontextmanager
async def open_events(
    database: Database,
    config: Config,
    etas: Callable[[Iterable[Order]], Awaitable[Mapping[str, Eta]]],
    metrics: Metrics,
    now: Callable[[], datetime],
) -> AsyncIterator[dict[str, Any]]:
    """Number events and send webhooks during the block. Yield the node's resources by name."""
    secret, private = secret_of(config), config.allows_private_webhooks
    bodies, secrets = EventBodies(database, LinkTokens(secret), etas, now), WebhookSecrets(secret)
    async with EventFeed.open(database) as feed, Poster(private=private).running() as poster:
        sender = WebhookSender(
            database=database,
            feed=feed,
            bodies=bodies,
            secrets=secrets,
            poster=poster,
            metrics=metrics,
            now=now,
        )
        async with sender.running():
            yield {"events": feed, "event_bodies": bodies, "webhook_secrets": secrets}
