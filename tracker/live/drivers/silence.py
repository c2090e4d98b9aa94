"""SilenceWatch: finds drivers who should send positions and do not, watched or not."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final, get_args

import msgspec
import structlog

from tracker.database import Database, drivers
from tracker.database.drivers import Activity
from tracker.database.events.reported import report_device, report_silence
from tracker.domain.driver.device_state import battery_became_low
from tracker.domain.driver.silence import Signs, Silence, SilenceReason, silence_of
from tracker.errors import NotFound, StorageUnavailable
from tracker.live.drivers.connections import DriverConnections
from tracker.live.drivers.trips import LiveTrips
from tracker.messages import rfc3339
from tracker.metrics import Metrics, begin_at_zero

CHECK_INTERVAL_S: Final = 10.0

log = structlog.get_logger()


class SilenceChange(msgspec.Struct, frozen=True):
    """A driver fell silent, or is silent for another reason, or (None) sends again."""

    driver_id: str
    silence: Silence | None


class SilenceWatch:
    """Looks at all drivers with open orders every few seconds.

    A silence is reported and counted by the node that owns the driver's trip, or by all if none does.
    """

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        database: Database,
        trips: LiveTrips,
        connections: DriverConnections,
        metrics: Metrics,
        owned_elsewhere: Callable[[Collection[str]], Awaitable[set[str]]],
        now: Callable[[], datetime],
    ) -> None:
        """Create the watch. *owned_elsewhere* returns those drivers whose trips other nodes own."""
        self._database, self._trips, self._connections = database, trips, connections
        self._metrics, self._owned_elsewhere, self._now = metrics, owned_elsewhere, now
        begin_at_zero(metrics.drivers_silent, get_args(SilenceReason))
        self._silent: dict[str, Silence] = {}  # of which this node tells
        self._intervals: dict[str, float] = {}  # of silent drivers whose trips are not live here
        self._batteries: dict[str, float] = {}  # levels at the last check

    @property
    def silent(self) -> Mapping[str, Silence]:
        """The silent drivers at the last check, which replaces the mapping."""
        return self._silent

    def of(self, driver_id: str, activity: Activity) -> Silence | None:
        """Return the driver's silence now, at most one check late."""
        live = self._trips.get(driver_id)
        if live is None and activity.received_at is not None and driver_id not in self._intervals:
            return None  # the device may send rarely
        return self._silence_of(driver_id, activity)

    def _silence_of(self, driver_id: str, activity: Activity) -> Silence | None:
        live, heard_at = self._trips.get(driver_id), activity.received_at
        interval_s = self._intervals.get(driver_id, 0.0)
        if live is not None:
            heard_at = max(filter(None, (heard_at, live.fixed_at)), default=None)
            interval_s = max(live.policy_state.policy.interval_s, live.trip.track.median_interval or 0.0)
        signs = Signs(
            expected_since=activity.expected_since,
            heard_at=heard_at,
            interval_s=interval_s,
            device=activity.device_now,
            departure=self._connections.departure(driver_id),
        )
        return silence_of(signs, self._now())

    async def check(self) -> list[SilenceChange]:
        """Look at every driver with an open order; return what changed. Raises StorageUnavailable."""
        busy = await drivers.select_busy_driver_ids(self._database)
        activities = await drivers.select_driver_activity(self._database, busy)
        quiet = [id_ for id_, activity in activities.items() if self._silence_of(id_, activity) is not None]
        await self._learn_intervals(quiet)
        elsewhere = await self._owned_elsewhere(quiet)
        found = {id_: self._silence_of(id_, activities[id_]) for id_ in quiet if id_ not in elsewhere}
        silent = {id_: silence for id_, silence in found.items() if silence is not None}
        await self._report(silent, activities)
        before, self._silent = self._silent, silent
        self._count(activities)
        return [
            SilenceChange(id_, silent.get(id_))
            for id_ in (*silent, *(before.keys() - silent.keys()))
            if _reason(silent.get(id_)) != _reason(before.get(id_))
        ]

    async def _learn_intervals(self, quiet: Collection[str]) -> None:
        """Read once how often devices send whose trips are not live here. Raises StorageUnavailable."""
        self._intervals = {id_: self._intervals[id_] for id_ in quiet if id_ in self._intervals}
        for id_ in quiet:
            if id_ not in self._intervals and self._trips.get(id_) is None:
                with suppress(NotFound):
                    live = await self._trips.of(id_)
                    self._intervals[id_] = live.trip.track.median_interval or 0.0

    async def _report(self, silent: Mapping[str, Silence], activities: Mapping[str, Activity]) -> None:
        """Write events of new silences, and of batteries that positions show to be low."""
        now = self._now()
        for id_ in silent.keys() - self._silent.keys():
            one = silent[id_]
            detail = {"since": rfc3339(one.since), "reason": one.reason, "reason_basis": one.reason_basis}
            await report_silence(self._database, id_, one.since, detail, now)
        levels = {id_: activity.device_now.report.battery for id_, activity in activities.items()}
        for id_, level in levels.items():
            low = battery_became_low(self._batteries.get(id_), level)
            if low is not None and activities[id_].duty != "off":
                async with self._database.transaction() as connection:
                    await report_device(connection, id_, activities[id_].device_now, (), now, low=low)
        self._batteries = {id_: level for id_, level in levels.items() if level is not None}

    def _count(self, activities: Mapping[str, Activity]) -> None:
        for reason in get_args(SilenceReason):
            count = sum(silence.reason == reason for silence in self._silent.values())
            self._metrics.drivers_silent.labels(reason).set(count)
        working = [one for one in activities.values() if one.expected_since is not None]
        low = sum(one.device_now.is_battery_low for one in working)
        self._metrics.drivers_battery_low.set(low)

    async def watch_forever(self) -> None:
        """Check and log what changed until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            try:
                changes = await self.check()
            except StorageUnavailable:
                continue
            for change in changes:
                if (silence := change.silence) is None:
                    log.info("driver_heard", driver=change.driver_id)
                else:
                    reason, basis = silence.reason, silence.reason_basis
                    log.warning("driver_silent", driver=change.driver_id, reason=reason, basis=basis)


def _reason(silence: Silence | None) -> SilenceReason | None:
    return None if silence is None else silence.reason
