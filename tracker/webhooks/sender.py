"""WebhookSender: sends due deliveries of all webhooks, and decides what follows from each attempt."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from random import random
from typing import Final, NamedTuple, Self

import msgspec
import structlog

from tracker.database import Database
from tracker.database.events.deliveries import (
    ClaimedDelivery,
    claim_deliveries,
    end_deliveries,
    retry_delivery,
    select_delivery_backlog,
)
from tracker.database.events.feed import lock_event_feed, select_events_by_number
from tracker.database.events.webhooks import disable_webhook, note_webhook_failure, note_webhook_success
from tracker.domain.events.event import Event
from tracker.domain.events.webhook import Result, Webhook, pause_s
from tracker.errors import StorageUnavailable
from tracker.metrics import Metrics
from tracker.tokens import WebhookSecrets
from tracker.webhooks.bodies import EventBodies
from tracker.webhooks.feed import EventFeed
from tracker.webhooks.poster import Poster
from tracker.webhooks.signing import signature_headers

POLL_S: Final = 1.0  # until a retry that is due, or the delivery of a killed node, is noticed
SENDS_AT_ONCE: Final = 64  # of this node
SENDS_PER_WEBHOOK: Final = 8  # a receiver that hangs delays no other
LEASE: Final = timedelta(seconds=20)  # an attempt takes less; then another node may send
REPORT_S: Final = 15.0  # between two looks at the backlog
CLOSE_WITHIN_S: Final = 3.0  # for attempts under way

log = structlog.get_logger()


class _Taken(NamedTuple):
    claimed: ClaimedDelivery
    result: Result
    is_noted: asyncio.Future[bool]


class WebhookSender:
    """Sends deliveries. Any number of nodes may run one: a claimed delivery is sent by one of them."""

    def __init__(
        self,
        *,
        database: Database,
        feed: EventFeed,
        bodies: EventBodies,
        secrets: WebhookSecrets,
        poster: Poster,
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        self._database, self._bodies, self._secrets = database, bodies, secrets
        self._poster, self._metrics, self._now = poster, metrics, now
        self._due = feed.subscribe()
        self._busy: Counter[str] = Counter()  # attempts under way, by webhook
        self._sends: set[asyncio.Task[None]] = set()
        self._taken: list[_Taken] = []  # by receivers, and not noted yet
        self._noting = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Send during the block. Attempts under way at its end get CLOSE_WITHIN_S; others repeat the rest."""
        tasks = [asyncio.create_task(work) for work in (self._send_forever(), self._report_forever())]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            if self._sends:
                await asyncio.wait(self._sends, timeout=CLOSE_WITHIN_S)
            for send in self._sends:
                send.cancel()
            await asyncio.gather(*tasks, *self._sends, return_exceptions=True)

    async def _send_forever(self) -> None:
        fails = False
        while True:
            failed = fails
            try:
                is_full = await self._send_due()
                fails = False
            except StorageUnavailable:
                fails, is_full = True, False
            if fails and not failed:
                log.warning("webhooks_delayed")
            if not is_full:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._due.wait()
                self._due.clear()

    async def _send_due(self) -> bool:
        """Begin to send what is due; return whether there may be more."""
        free = SENDS_AT_ONCE - len(self._sends)
        if free == 0:
            return False
        claimed = await claim_deliveries(
            self._database, per_webhook=SENDS_PER_WEBHOOK, busy=self._busy, limit=free, lease=LEASE
        )
        events = await select_events_by_number(self._database, [one.event_number for one in claimed])
        for one in claimed:
            if (event := events.get(one.event_number)) is not None:  # else deleted meanwhile
                self._busy[one.webhook.id] += 1
                task = asyncio.create_task(self._send(one, event))
                self._sends.add(task)
                task.add_done_callback(self._sends.discard)
        await self._poster.forget_idle()
        return len(claimed) == free

    async def _send(self, claimed: ClaimedDelivery, event: Event) -> None:
        webhook = claimed.webhook
        try:
            result = await self._attempt(webhook, event)
            await self._note(claimed, event, result)
        except StorageUnavailable:
            log.warning("webhook_result_lost", webhook=webhook.id)  # it is sent again after the lease
        except Exception as error:
            log.error("webhook_failed", webhook=webhook.id, exc_info=error)
            with suppress(StorageUnavailable):
                await self._note(claimed, event, Result(error="internal"))
        finally:
            self._busy -= Counter({webhook.id: 1})  # which also forgets a webhook that is not busy
            self._due.set()

    async def _attempt(self, webhook: Webhook, event: Event) -> Result:
        [wire] = await self._bodies.of([event], webhook.base_url)
        body, now = msgspec.json.encode(wire), self._now()
        headers = signature_headers(event.id, now, body, self._keys(webhook, now))
        self._metrics.webhook_delay.observe(max((now - event.recorded_at).total_seconds(), 0.0))
        return await self._poster.post(webhook.url, body, headers)

    def _keys(self, webhook: Webhook, now: datetime) -> list[bytes]:
        """Return the keys that sign now, the newest first."""
        numbers = [webhook.secret_number]
        if webhook.old_secret_until is not None and now < webhook.old_secret_until:
            numbers.append(webhook.secret_number - 1)
        return [self._secrets.key(webhook.id, number) for number in numbers]

    async def _note(self, claimed: ClaimedDelivery, event: Event, result: Result) -> None:
        """Store what came of an attempt, and what follows from it. Raises StorageUnavailable."""
        webhook, deliveries = claimed.webhook, self._metrics.webhook_deliveries
        if result.error is None:
            await self._note_taken(claimed, result)
            deliveries.labels("delivered").inc()
            if webhook.failing_since is not None:
                await note_webhook_success(self._database, webhook.id)
            return
        pause = pause_s(claimed.attempts + 1, random(), result.retry_after_s)
        if pause is not None and not result.is_gone:
            await retry_delivery(self._database, claimed, result, timedelta(seconds=pause))
            deliveries.labels("retried").inc()
        else:
            async with self._database.transaction() as connection:
                if result.is_gone:
                    await lock_event_feed(connection)
                await end_deliveries(connection, [(claimed, result)], "dead")
                if result.is_gone:  # in the same commit, so that not one more event is sent
                    await disable_webhook(connection, webhook.id, "gone")
            deliveries.labels("dead").inc()
            log.warning("webhook_delivery_dead", webhook=webhook.id, event_id=event.id, why=result.error)
        if result.is_gone:
            log.warning("webhook_disabled", webhook=webhook.id, why="gone")
        elif await note_webhook_failure(self._database, webhook.id):
            async with self._database.transaction() as connection:
                await disable_webhook(connection, webhook.id, "failing")
            log.warning("webhook_disabled", webhook=webhook.id, why="failing")

    async def _note_taken(self, claimed: ClaimedDelivery, result: Result) -> None:
        """Note that a receiver has an event, in one commit with all that came while another one ran.

        Raises StorageUnavailable.
        """
        own = _Taken(claimed, result, asyncio.get_running_loop().create_future())
        self._taken.append(own)
        async with self._noting:
            if not own.is_noted.done():
                taken, self._taken = self._taken, []
                await self._note_all(taken)
        if not own.is_noted.result():
            raise StorageUnavailable("The result of a webhook could not be stored.")

    async def _note_all(self, taken: list["_Taken"]) -> None:
        is_noted = False
        try:
            async with self._database.transaction() as connection:
                await end_deliveries(connection, [(one.claimed, one.result) for one in taken], "delivered")
            is_noted = True
        finally:
            for one in taken:
                one.is_noted.set_result(is_noted)

    async def _report_forever(self) -> None:
        while True:
            with suppress(StorageUnavailable):
                backlog = await select_delivery_backlog(self._database)
                self._metrics.webhook_unsent.set(backlog.unsent)
                self._metrics.webhook_dead.set(backlog.dead)
                self._metrics.webhook_oldest.set(backlog.oldest_s)
            await asyncio.sleep(REPORT_S)
