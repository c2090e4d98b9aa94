"""Player: replays recorded tracks, in real time or faster."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from driver_sim.client.client import DriverClient
from driver_sim.client.pending_reports import ReportRejected
from driver_sim.client.reconnect import PermanentDisconnect
from driver_sim.errors import first_error
from driver_sim.merchant_api import ApiError, MerchantApi
from driver_sim.replay.schedule import (
    StatusChange,
    Timing,
    places,
    recorded_orders,
    scheduled_fixes,
    status_changes,
    stop_sequence,
)
from driver_sim.tracks import Recording
from tracker.domain.order import Vehicle

PROGRESS_INTERVAL: Final = 15.0  # seconds between two lines of progress
ACK_TIMEOUT: Final = 60.0  # seconds without an ack before the replay ends

Echo = Callable[[str], None]


class Player:
    """The replay of one recording over one driver's connection."""

    def __init__(self, recording: Recording, client: DriverClient, timing: Timing, echo: Echo) -> None:
        self._recording = recording
        self._client = client
        self._timing = timing
        self._echo = echo
        self._played = 0

    async def play(self, order_ids: Sequence[str], shutdown: asyncio.Event) -> bool:
        """Play until the end or *shutdown*, then flush.

        Return False if fixes remain unacknowledged or the service rejects all of them.
        Raises PermanentDisconnect.
        """
        complete = False
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._client.run())
                drive = tasks.create_task(self._drive(order_ids))
                background = [tasks.create_task(self._print_progress()), tasks.create_task(shutdown.wait())]
                await asyncio.wait({drive, background[1]}, return_when=asyncio.FIRST_COMPLETED)
                for task in (drive, *background):
                    task.cancel()
                complete = await self._flush()
                await self._client.close(0.0)
        except* PermanentDisconnect as disconnect:
            raise first_error(disconnect) from None
        self._echo(f"{self._recording.name}: {self._progress()}")
        counts = self._client.outbox.counts
        if counts["rejected"] and not counts["acked"]:
            self._echo(f"{self._recording.name}: the service rejected every fix and stored none")
            return False
        return complete

    async def _drive(self, order_ids: Sequence[str]) -> None:
        """Send fixes and status changes at their times. A rejected status does not end the replay."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send_fixes())
            for wait, change in status_changes(self._recording, self._timing) if order_ids else ():
                tasks.create_task(self._report(wait, change, order_ids[change.order]))

    async def _send_fixes(self) -> None:
        clock = asyncio.get_running_loop().time
        started = clock()
        for wait, fix in scheduled_fixes(self._recording, self._timing, datetime.now(UTC)):
            ahead = started + wait - clock()
            if ahead > 0:
                await asyncio.sleep(ahead)
            self._client.add(fix)
            self._played += 1

    async def _report(self, wait: float, change: StatusChange, order_id: str) -> None:
        await asyncio.sleep(wait)
        try:
            await self._client.report(order_id, change.status, at=datetime.now(UTC))
        except ReportRejected as rejected:
            self._echo(f"{order_id} {change.status}: {rejected}")
        else:
            self._echo(f"{order_id} {change.status}")

    async def _flush(self) -> bool:
        """Wait for acks while they arrive. Return whether everything was acknowledged."""
        unacked = -1
        while self._client.outbox.unacked != unacked:
            unacked = self._client.outbox.unacked
            if await self._client.flush(ACK_TIMEOUT):
                return True
        return False

    async def _print_progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL)
            self._echo(f"{self._recording.name}: {self._progress()}")

    def _progress(self) -> str:
        counts, outbox = self._client.outbox.counts, self._client.outbox
        rejected = ", ".join(f"{count} {reason}" for reason, count in outbox.rejections.items())
        return (
            f"{self._played} of {len(self._recording.fixes)} fixes played, {counts['acked']} acknowledged"
            f" ({counts['duplicates']} duplicates), {outbox.unacked} waiting"
            + (f", rejected: {rejected}" if rejected else "")
        )


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `driver-sim replay`. Needs a driver's token, or an API key that may create drivers."""

    url: str
    recordings: Sequence[Recording]
    timing: Timing
    token: str | None = None
    api_key: str | None = None
    vehicle: Vehicle = "car"


async def replay(settings: Replay, shutdown: asyncio.Event, echo: Echo) -> bool:
    """Replay all recordings. Return whether each succeeded. Raises ApiError, PermanentDisconnect."""
    if settings.token is not None:
        return await _replay_in_turn(settings, settings.token, shutdown, echo)
    async with MerchantApi(settings.url, settings.api_key or "") as api:
        try:
            async with asyncio.TaskGroup() as tasks:
                players = [
                    tasks.create_task(_replay_with_new_driver(settings, one, api, shutdown, echo))
                    for one in settings.recordings
                ]
        except* (ApiError, PermanentDisconnect) as errors:
            raise first_error(errors) from None
    return all(task.result() for task in players)


async def _replay_in_turn(settings: Replay, token: str, shutdown: asyncio.Event, echo: Echo) -> bool:
    """Replay one recording after another with the same driver, which can only be in one place."""
    complete = True
    for recording in settings.recordings:
        if not shutdown.is_set():
            complete &= await Player(
                recording, DriverClient(settings.url, token), settings.timing, echo
            ).play((), shutdown)
    return complete


async def _replay_with_new_driver(
    settings: Replay, recording: Recording, api: MerchantApi, shutdown: asyncio.Event, echo: Echo
) -> bool:
    """Replay a recording with its own driver, reused in later runs. Create its orders in real time."""
    vehicle = recording.vehicle or settings.vehicle
    driver_id, token = await _get_or_create_driver(api, f"replay-{Path(recording.name).name}"[:100], vehicle)
    minutes = recording.duration / 60
    echo(f"{recording.name}: {len(recording.fixes)} fixes, {minutes:.0f} minutes, by {driver_id}")
    live = settings.timing.speed is not None and not settings.timing.original_times
    order_ids = await _create_orders(api, recording, driver_id, echo) if live else []
    client = DriverClient(settings.url, token)
    return await Player(recording, client, settings.timing, echo).play(order_ids, shutdown)


async def _get_or_create_driver(api: MerchantApi, reference: str, vehicle: Vehicle) -> tuple[str, str]:
    async for driver in api.drivers():
        if driver.reference == reference:
            return driver.id, (await api.new_token(driver.id)).token
    new_driver = await api.create_driver("Replay", vehicle, reference)
    return new_driver.id, new_driver.token


async def _create_orders(api: MerchantApi, recording: Recording, driver_id: str, echo: Echo) -> list[str]:
    """Create the recorded orders, and set their stops in the recorded sequence. Return the order ids."""
    order_ids: list[str] = []
    for index, recorded_order in enumerate(recorded_orders(recording), 1):
        pickup, dropoff = places(recording, recorded_order)
        reference = f"{recording.name}-{index}-{datetime.now(UTC):%H%M%S}"
        order = await api.create_order(pickup, dropoff, driver_id=driver_id, reference=reference)
        echo(f"{order.id}: {order.tracking_url}")
        order_ids.append(order.id)
    if len(order_ids) > 1:
        await api.set_stops(driver_id, [(order_ids[index], kind) for index, kind in stop_sequence(recording)])
    return order_ids
