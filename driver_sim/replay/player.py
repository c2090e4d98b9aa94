"""Replay: drives recorded tracks again, each by a driver of its own, in real or faster time."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from driver_sim.client.client import DriverClient
from driver_sim.client.pending_reports import ReportRefused
from driver_sim.client.reconnect import Stopped
from driver_sim.errors import first_of
from driver_sim.merchant_api import ApiError, MerchantApi
from driver_sim.replay.schedule import Change, Timing, changes, due, errands, places, sequence
from driver_sim.tracks import Recording
from tracker.domain.order import Vehicle

REPORT: Final = 15.0  # seconds between two lines about a replay
PATIENCE: Final = 60.0  # seconds without an ack before the end is given up

Say = Callable[[str], None]


class Player:
    """Plays one recording over one driver's connection."""

    def __init__(self, recording: Recording, client: DriverClient, timing: Timing, say: Say) -> None:
        self._recording = recording
        self._client = client
        self._timing = timing
        self._say = say
        self._played = 0

    async def play(self, order_ids: Sequence[str], over: asyncio.Event) -> bool:
        """Whether all that was sent until the end, or until `over`, is answered and not all rejected.

        Raises Stopped.
        """
        whole = False
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._client.run())
                drive = tasks.create_task(self._drive(order_ids))
                helpers = [tasks.create_task(self._tell()), tasks.create_task(over.wait())]
                await asyncio.wait({drive, helpers[1]}, return_when=asyncio.FIRST_COMPLETED)
                for task in (drive, *helpers):
                    task.cancel()
                whole = await self._flush()
                await self._client.close(0.0)
        except* Stopped as stopped:
            raise first_of(stopped) from None
        self._say(f"{self._recording.name}: {self._state()}")
        counts = self._client.outbox.counts
        if counts["rejected"] and not counts["acked"]:
            self._say(f"{self._recording.name}: the service stored nothing, because it rejected every fix")
            return False
        return whole

    async def _drive(self, order_ids: Sequence[str]) -> None:
        """Fixes and status changes at their times; a refused status does not stop the drive."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send_fixes())
            for wait, change in changes(self._recording, self._timing) if order_ids else ():
                tasks.create_task(self._report(wait, change, order_ids[change.order]))

    async def _send_fixes(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        for wait, fix in due(self._recording, self._timing, datetime.now(UTC)):
            ahead = began + wait - clock()
            if ahead > 0:
                await asyncio.sleep(ahead)
            self._client.add(fix)
            self._played += 1

    async def _report(self, wait: float, change: Change, order_id: str) -> None:
        await asyncio.sleep(wait)
        try:
            await self._client.report(order_id, change.status, at=datetime.now(UTC))
        except ReportRefused as refused:
            self._say(f"{order_id} {change.status}: {refused}")
        else:
            self._say(f"{order_id} {change.status}")

    async def _flush(self) -> bool:
        """Waits for the acks as long as some come."""
        waiting = -1
        while self._client.outbox.unacked != waiting:
            waiting = self._client.outbox.unacked
            if await self._client.flush(PATIENCE):
                return True
        return False

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(REPORT)
            self._say(f"{self._recording.name}: {self._state()}")

    def _state(self) -> str:
        counts, outbox = self._client.outbox.counts, self._client.outbox
        rejected = ", ".join(f"{count} {reason}" for reason, count in outbox.rejections.items())
        return (
            f"{self._played} of {len(self._recording.fixes)} fixes played, {counts['acked']} acknowledged"
            f" ({counts['duplicates']} known before), {outbox.unacked} waiting"
            + (f", rejected: {rejected}" if rejected else "")
        )


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What `driver-sim replay` was asked for: a driver's token, or an API key to make drivers with."""

    url: str
    recordings: Sequence[Recording]
    timing: Timing
    token: str | None = None
    api_key: str | None = None
    vehicle: Vehicle = "car"


async def replay(wanted: Replay, over: asyncio.Event, say: Say) -> bool:
    """Whether everything was acknowledged. Raises ApiError and Stopped."""
    if wanted.token is not None:
        return await _one_after_the_other(wanted, wanted.token, over, say)
    async with MerchantApi(wanted.url, wanted.api_key or "") as api:
        try:
            async with asyncio.TaskGroup() as tasks:
                playing = [
                    tasks.create_task(_with_driver(wanted, one, api, over, say)) for one in wanted.recordings
                ]
        except* (ApiError, Stopped) as errors:
            raise first_of(errors) from None
    return all(task.result() for task in playing)


async def _one_after_the_other(wanted: Replay, token: str, over: asyncio.Event, say: Say) -> bool:
    """One driver cannot be at two places at once."""
    whole = True
    for recording in wanted.recordings:
        if not over.is_set():
            whole &= await Player(recording, DriverClient(wanted.url, token), wanted.timing, say).play(
                (), over
            )
    return whole


async def _with_driver(
    wanted: Replay, recording: Recording, api: MerchantApi, over: asyncio.Event, say: Say
) -> bool:
    """A driver for this recording (the same one again in a later run), with its orders in real time."""
    vehicle = recording.vehicle or wanted.vehicle
    driver_id, token = await _driver(api, f"replay-{Path(recording.name).name}"[:100], vehicle)
    minutes = recording.duration / 60
    say(f"{recording.name}: {len(recording.fixes)} fixes, {minutes:.0f} minutes, by {driver_id}")
    live = wanted.timing.speed is not None and not wanted.timing.original_times
    order_ids = await _orders(api, recording, driver_id, say) if live else []
    client = DriverClient(wanted.url, token)
    return await Player(recording, client, wanted.timing, say).play(order_ids, over)


async def _driver(api: MerchantApi, reference: str, vehicle: Vehicle) -> tuple[str, str]:
    async for driver in api.drivers():
        if driver.reference == reference:
            return driver.id, await api.new_token(driver.id)
    made = await api.create_driver("Replay", vehicle, reference)
    return made.id, made.token


async def _orders(api: MerchantApi, recording: Recording, driver_id: str, say: Say) -> list[str]:
    """An order for each errand of the trip, in the sequence it was driven."""
    made: list[str] = []
    for index, errand in enumerate(errands(recording), 1):
        pickup, dropoff = places(recording, errand)
        reference = f"{recording.name}-{index}-{datetime.now(UTC):%H%M%S}"
        order = await api.create_order(pickup, dropoff, driver_id=driver_id, reference=reference)
        say(f"{order.id}: {order.tracking_url}")
        made.append(order.id)
    if len(made) > 1:
        await api.set_stops(driver_id, [(made[index], kind) for index, kind in sequence(recording)])
    return made
