"""MqttIngest: takes OwnTracks' messages from the broker, stores their fixes, and acknowledges them."""

import asyncio
import hashlib
import hmac
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from tracker.broker_urls import MqttAddress, parse_mqtt_url
from tracker.config import Config
from tracker.config.secret import secret_of
from tracker.database import Database, drivers
from tracker.database.nodes.leases import hold_role
from tracker.domain.order import Driver
from tracker.domain.tracks.fix import Fix
from tracker.errors import NotFound, RateLimited, StorageUnavailable
from tracker.live.drivers.trip import Receipt
from tracker.live.fleet import Fleet
from tracker.messages import FIXES_PER_MESSAGE
from tracker.metrics import Metrics
from tracker.mqtt.broker import BrokerConnection, Message
from tracker.phone_apps import owntracks
from tracker.phone_apps.report import SAYS_NOTHING, Kind, Report, without_fix
from tracker.phone_apps.values import read_object
from tracker.rate_limits import RateLimit, spread

TOPIC: Final = "owntracks/+/+"
FORMAT: Final = "mqtt"
LAST_WILL: Final = "lwt"
RETRY_FIRST_S: Final = 0.5
RETRY_LAST_S: Final = 15.0
TURN_EVERY_S: Final = 1.5
ROLE: Final = "mqtt"

log = structlog.get_logger()


class Told(NamedTuple):
    """A message, the device's own time in it, and what it holds."""

    tst: int | float | str | None
    report: Report
    is_last_will: bool = False


class MqttIngest:
    """Stores what devices publish to `owntracks/<driver id>/<device>`.

    The broker keeps a message until its fix is committed. Then the driver's `tracker/<driver id>/ack` says
    so, because a broker acknowledges a publication when it has the message, stored or not.

    Of several nodes one at a time has the session at the broker, which keeps what was not acknowledged for
    the client with this name. Another node continues the session when that one is gone.
    """

    def __init__(self, fleet: Fleet, database: Database, rates: RateLimit, metrics: Metrics) -> None:
        self._fleet, self._database, self._rates, self._metrics = fleet, database, rates, metrics
        self._broker: BrokerConnection | None = None
        self._has_turn = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls, config: Config, fleet: Fleet, database: Database, rates: RateLimit, metrics: Metrics
    ) -> AsyncIterator["MqttIngest | None"]:
        """Receive during the block; None if no broker is configured.

        What is not acknowledged at its end comes again at the next start.
        """
        if config.mqtt_url is None:
            yield None
            return
        address, name = parse_mqtt_url(config.mqtt_url), client_id(secret_of(config))
        self = cls(fleet, database, rates, metrics)
        task = asyncio.create_task(self._serve_forever(address, name))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def connected(self) -> bool:
        """Whether the broker delivers messages now, or another node has its session."""
        return self._broker is None or self._broker.connected

    async def _serve_forever(self, address: MqttAddress, name: str) -> None:
        while True:
            if await self._takes_turn():
                async with BrokerConnection.open(address, name, TOPIC) as self._broker:
                    receiving = asyncio.create_task(self._receive_forever(self._broker))
                    try:
                        while await self._takes_turn():  # noqa: ASYNC110 - the database decides
                            await asyncio.sleep(TURN_EVERY_S)
                    finally:
                        receiving.cancel()
                        await asyncio.gather(receiving, return_exceptions=True)
                self._broker = None
            await asyncio.sleep(TURN_EVERY_S)

    async def _takes_turn(self) -> bool:
        """Whether this node has the session now. While the database is away, nothing changes."""
        with suppress(StorageUnavailable):
            self._has_turn = await hold_role(self._database, ROLE, self._fleet.node)
        return self._has_turn

    async def _receive_forever(self, broker: BrokerConnection) -> None:
        while True:
            by_driver: defaultdict[str, list[Message]] = defaultdict(list)
            for message in await broker.receive():
                by_driver[message.topic.split("/")[1]].append(message)
            await asyncio.gather(*(self._take_all(broker, *each) for each in by_driver.items()))

    async def _take_all(self, broker: BrokerConnection, driver_id: str, messages: Sequence[Message]) -> None:
        for start in range(0, len(messages), FIXES_PER_MESSAGE):
            await self._take(broker, driver_id, messages[start : start + FIXES_PER_MESSAGE])

    async def _take(self, broker: BrokerConnection, driver_id: str, messages: Sequence[Message]) -> None:
        """Store the fixes of one driver's messages, and acknowledge them; forget what no repetition helps."""
        told = [_read(message) for message in messages]
        try:
            driver = await self._persist(lambda: drivers.select_driver(self._database, driver_id))
            if driver is None:
                self._count("unknown_driver", len(messages))
            elif self._admits(driver, told):
                await self._store(broker, driver, told)
        except NotFound:  # erased meanwhile
            self._count("unknown_driver", len(messages))
        except Exception as error:  # one driver's message must not end the others'
            log.error("mqtt_messages_failed", exc_info=error)
        for message in messages:
            broker.acknowledge(message)

    def _admits(self, driver: Driver, told: Sequence[Told]) -> bool:
        if self._rates.try_take(driver.id, len(told), monotonic()):
            return True
        self._count("over_rate", len(told))
        return False

    async def _store(self, broker: BrokerConnection, driver: Driver, told: Sequence[Told]) -> None:
        for one in told:
            for kind, count in one.report.counts.items():
                self._count(kind, count)
        fixes = [(one.tst, one.report.readings[0]) for one in told if one.report.readings]
        if fixes:
            readings = [reading for _, reading in fixes]
            batch = await self._persist(lambda: self._fleet.receive(driver, readings, by_app=True))
            receipt = await self._persist(lambda: self._fleet.record(driver, batch))
            broker.publish(f"tracker/{driver.id}/ack", acknowledgement([tst for tst, _ in fixes], receipt))
        await self._note_device(driver, told, heard=bool(fixes))

    async def _note_device(self, driver: Driver, told: Sequence[Told], *, heard: bool) -> None:
        """Pass on what the newest messages say about the device, and whether it left."""
        if heard:
            self._fleet.states.source_left(driver.id, None)
        if told[-1].is_last_will:
            self._fleet.states.source_left(driver.id, "lost")
        said = [one.report for one in told if one.report.device != SAYS_NOTHING]
        if said:
            with suppress(NotFound, RateLimited, StorageUnavailable):  # only fixes are worth a repetition
                await self._fleet.states.device_reported(driver, said[-1].device, at=said[-1].device_at)

    async def _persist[T](self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Repeat *work* until the database is available; meanwhile the broker keeps all messages."""
        wait_s = RETRY_FIRST_S
        while True:
            try:
                return await self._fleet.shield(work())
            except StorageUnavailable:
                await asyncio.sleep(spread(wait_s))
                wait_s = min(2.0 * wait_s, RETRY_LAST_S)

    def _count(self, kind: Kind, count: int) -> None:
        self._metrics.count_messages(FORMAT, kind, count)


def _read(message: Message) -> Told:
    if message.payload is None:
        return Told(None, without_fix("too_large"))
    if not message.payload.strip():
        return Told(None, without_fix("empty"))
    content = read_object(message.payload)
    if content is None:
        return Told(None, without_fix("unreadable"))
    if content.get("_type") == LAST_WILL:
        return Told(None, without_fix("last_will"), is_last_will=not message.retained)
    report = owntracks.parse_message(content)
    is_time = any(isinstance(reading, Fix) for reading in report.readings)  # then `tst` is short and plain
    return Told(content["tst"] if is_time else None, report)


def acknowledgement(times: Sequence[int | float | str | None], receipt: Receipt) -> bytes:
    """Return what the driver's `ack` topic says: `tst` of all fixes that the device may forget."""
    answer: dict[str, Any] = {
        "tst": [tst for tst in times if tst is not None],
        "stored": receipt.stored,
        "duplicates": receipt.duplicates,
    }
    if receipt.rejected:
        answer["rejected"] = [{"tst": times[one.index], "reason": one.reason} for one in receipt.rejected]
    if receipt.discarded:
        answer["discarded"] = receipt.discarded
    return msgspec.json.encode(answer)


def client_id(secret: str) -> str:
    """Return the name of the service's session at the broker: the same after each start."""
    return f"tracker-{hmac.digest(secret.encode(), b'MQTT session, version 1', hashlib.sha256).hex()[:16]}"
