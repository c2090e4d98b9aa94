"""BoardState: joins what the database, live trips and forecasts say into the rows that dispatchers see."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tracker.database.dispatch.board import BoardOrder, BoardPlace
from tracker.database.drivers import Activity
from tracker.domain.driver.device_state import DeviceReport, DeviceState
from tracker.domain.driver.silence import Silence
from tracker.domain.eta.estimate import Eta
from tracker.domain.order import Driver
from tracker.domain.order_rules import late_s
from tracker.domain.tracks.fix import Fix
from tracker.domain.trip import REPORT_EVERY
from tracker.domain.view import fresh_until, freshness_of
from tracker.live.board.facts import DriverFacts
from tracker.live.board.rows import FleetRows
from tracker.messages import Position, WireDuty, WireEta, WireWindow, rfc3339, rfc3339_or_none
from tracker.messages.dispatchers import (
    FleetDevice,
    FleetDriver,
    FleetOrder,
    FleetPlace,
    FleetSilence,
    Risk,
)

ETA_CHANGE: Final = timedelta(seconds=20)  # the least change of a forecast that is sent


class BoardState:
    """Everything that this node knows of the fleet, and the rows made of it."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.rows = FleetRows()
        self.drivers: dict[str, tuple[Driver, Activity]] = {}
        self.orders: dict[str, BoardOrder] = {}
        self.doubtful: set[str] = set()  # drivers whose facts contradict what was read; read them again
        self._facts: dict[str, DriverFacts] = {}
        self._heard_at: dict[str, datetime] = {}  # when facts came
        self._etas: dict[str, Eta] = {}
        self._silent: Mapping[str, Silence] = {}
        self._orders_of: dict[str, set[str]] = {}
        self._fresh_until: dict[str, datetime] = {}  # when the position will become stale or lost
        self._devices: dict[str, tuple[Activity, float | None, FleetDevice | None]] = {}  # as made last

    def orders_of(self, driver_ids: Iterable[str]) -> dict[str, list[str]]:
        """Return the open orders of these drivers; without drivers who have none."""
        return {id_: list(found) for id_ in driver_ids if (found := self._orders_of.get(id_))}

    def heard_at(self, driver_id: str) -> datetime | None:
        """Return when the newest position came, as far as the board knows."""
        known = self.drivers.get(driver_id)
        stored = None if known is None else known[1].received_at
        return max(filter(None, (stored, self._heard_at.get(driver_id))), default=None)

    # --- what is known

    def take_driver(self, driver: Driver, activity: Activity) -> None:
        """Set what the database says about a driver."""
        self.drivers[driver.id] = driver, activity
        facts = self._facts.get(driver.id)
        if facts is not None and facts.duty != activity.duty:
            self._facts[driver.id] = msgspec.structs.replace(facts, duty=activity.duty)
        self._put_driver(driver.id)

    def take_facts(self, facts: DriverFacts) -> None:
        """Set what a live trip says about its driver."""
        known = self.drivers.get(facts.driver_id)
        if known is None or known[1].duty != facts.duty:
            self.doubtful.add(facts.driver_id)
        before = self._facts.get(facts.driver_id)
        if before is not None and _is_older(facts.position, before.position):  # from a former owner
            facts = msgspec.structs.replace(facts, position=before.position)
        self._facts[facts.driver_id], self._heard_at[facts.driver_id] = facts, self._now()
        if known is not None:
            self._put_driver(facts.driver_id)

    def take_silences(self, silent: Mapping[str, Silence]) -> None:
        """Set who is silent, and why."""
        if silent is self._silent:
            return
        before, self._silent = self._silent, silent
        for id_ in before.keys() | silent.keys():
            if before.get(id_) != silent.get(id_) and id_ in self.drivers:
                self._put_driver(id_)

    def take_order(self, order: BoardOrder) -> None:
        """Set an open order."""
        self._unlink(order.id)
        before = self.orders.get(order.id)
        if before is not None and before.driver_id != order.driver_id:
            self._etas.pop(order.id, None)
        self.orders[order.id] = order
        if order.driver_id is not None:
            self._orders_of.setdefault(order.driver_id, set()).add(order.id)
        self._put_order(order.id)

    def take_eta(self, order_id: str, eta: Eta) -> None:
        """Set the forecast of an order, unless it is almost as before."""
        if order_id in self.orders and _is_news(self._etas.get(order_id), eta):
            self._etas[order_id] = eta
            self._put_order(order_id)

    def drop_driver(self, driver_id: str) -> None:
        """Forget a driver at once."""
        self.drivers.pop(driver_id, None)
        self._facts.pop(driver_id, None)
        self._heard_at.pop(driver_id, None)
        self._fresh_until.pop(driver_id, None)
        self._devices.pop(driver_id, None)
        self.rows.remove_driver(driver_id)

    def drop_order(self, order_id: str) -> None:
        """Forget an order that is over."""
        self._unlink(order_id)
        self.orders.pop(order_id, None)
        self._etas.pop(order_id, None)
        self.rows.remove_order(order_id)

    def review(self) -> None:
        """Update the freshness of positions."""
        now = self._now()
        for id_ in [id_ for id_, until in self._fresh_until.items() if until < now]:
            self._put_driver(id_)

    def review_windows(self) -> None:
        """Flag orders whose window is over, although nobody knows when they will come."""
        now = self._now()
        for order in list(self.orders.values()):
            if order.window_to is not None and order.window_to < now:
                self._put_order(order.id)

    def _unlink(self, order_id: str) -> None:
        before = self.orders.get(order_id)
        if before is None or before.driver_id is None:
            return
        own = self._orders_of.get(before.driver_id, set())
        own.discard(order_id)
        if not own:
            self._orders_of.pop(before.driver_id, None)

    # --- rows

    def _is_off(self, driver_id: str) -> bool:
        """Whether the database or the live trip says that the driver is off duty: either hides them."""
        facts, (_, activity) = self._facts.get(driver_id), self.drivers[driver_id]
        return activity.duty == "off" or (facts is not None and facts.duty == "off")

    def _position(self, driver_id: str) -> Fix | None:
        if driver_id not in self.drivers or self._is_off(driver_id):
            return None
        facts, stored = self._facts.get(driver_id), self.drivers[driver_id][1].last_fix
        live = None if facts is None else facts.position
        if stored is None or live is None:
            return stored or live
        return live if live.recorded_at >= stored.recorded_at else stored

    def _device(self, driver_id: str, activity: Activity, fix: Fix | None) -> FleetDevice | None:
        """Return the state of the device, made anew only if it or the battery's level has changed."""
        level = None if fix is None or fix.battery is None else round(fix.battery, 2)
        made = self._devices.get(driver_id)
        if made is None or made[0] is not activity or made[1] != level:
            made = self._devices[driver_id] = activity, level, _device(activity.device_now, fix)
        return made[2]

    def _put_driver(self, driver_id: str) -> None:
        """Make the driver's row, and those of the orders whose risks it changes."""
        driver, activity = self.drivers[driver_id]
        facts, silence, fix = (
            self._facts.get(driver_id),
            self._silent.get(driver_id),
            self._position(driver_id),
        )
        duty = "off" if self._is_off(driver_id) else activity.duty if facts is None else facts.duty
        now, interval = self._now(), REPORT_EVERY if facts is None else facts.report_every
        wire = FleetDriver(
            id=driver.id,
            position=None if fix is None else _position(fix),
            freshness=freshness_of(fix, now, interval),
            name=driver.name,
            vehicle=driver.vehicle,
            reference=driver.reference,
            duty=WireDuty.of(duty),
            device=self._device(driver_id, activity, fix),
            silence=None if silence is None or duty == "off" else _silence(silence),
            off_route=facts is not None and facts.off_route and fix is not None,
            orders=list(activity.orders),
        )
        row = self.rows.drivers.get(driver_id)
        before = None if row is None else row.wire
        self.rows.put_driver(wire)
        if (until := fresh_until(fix, now, interval)) is not None:
            self._fresh_until[driver_id] = until
        else:
            self._fresh_until.pop(driver_id, None)
        if before is None or _risks_of_driver(before) != _risks_of_driver(wire):
            for order_id in self._orders_of.get(driver_id, ()):
                self._put_order(order_id)

    def _put_order(self, order_id: str) -> None:
        order, eta = self.orders[order_id], self._etas.get(order_id)
        row = self.rows.drivers.get(order.driver_id or "")
        late = late_s(order.window_to, order.arrived_at or (None if eta is None else eta.arrives_at))
        is_over = order.window_to is not None and order.arrived_at is None and order.window_to < self._now()
        risks: list[Risk] = ["late"] if late or is_over else []
        if row is not None:
            risks += _risks_of_driver(row.wire)
        if order.is_stuck:
            risks.append("stuck")
        self.rows.put_order(
            FleetOrder(
                id=order.id,
                reference=order.reference,
                status=order.status,
                driver_id=order.driver_id,
                created_at=rfc3339(order.created_at),
                pickup=_place(order.pickup),
                dropoff=_place(order.dropoff),
                window=_window(order),
                eta=None if eta is None else WireEta.of(eta),
                late_s=late,
                risks=risks,
                attempt=order.attempt,
                version=order.version,
            )
        )


def _is_older(fix: Fix | None, other: Fix | None) -> bool:
    return fix is not None and other is not None and fix.recorded_at < other.recorded_at


def _is_news(before: Eta | None, eta: Eta) -> bool:
    if before is None:
        return True
    if (before.stale, before.basis, before.stops_before) != (eta.stale, eta.basis, eta.stops_before):
        return True
    if before.arrives_at is None or eta.arrives_at is None:
        return before.arrives_at is not eta.arrives_at
    return abs(eta.arrives_at - before.arrives_at) > ETA_CHANGE


def _risks_of_driver(wire: FleetDriver) -> list[Risk]:
    """Return what the driver's state means for their orders."""
    found: list[Risk] = ["silent"] if wire.silence else []
    if wire.off_route:
        found.append("off_route")
    if wire.device and wire.device.battery_low:
        found.append("battery_low")
    return found


def _position(fix: Fix) -> Position:
    values = (fix.heading, fix.speed, fix.accuracy)
    heading, speed, accuracy = (None if value is None else round(value, 1) for value in values)
    return Position(round(fix.lat, 6), round(fix.lon, 6), heading, speed, accuracy, rfc3339(fix.recorded_at))


def _device(state: DeviceState, fix: Fix | None) -> FleetDevice | None:
    if fix is not None and fix.battery is not None:
        state = state.merge(DeviceReport(battery=fix.battery), fix.recorded_at)
    if state.reported_at is None:
        return None
    report = state.report
    return FleetDevice(
        battery=None if report.battery is None else round(report.battery, 2),
        battery_low=state.is_battery_low,
        charging=report.charging,
        permission=report.permission,
        location_services=report.location_services,
        power_saving=report.power_saving,
        network=report.network,
    )


def _silence(silence: Silence) -> FleetSilence:
    return FleetSilence(rfc3339(silence.since), silence.reason, silence.reason_basis)


def _place(place: BoardPlace) -> FleetPlace:
    return FleetPlace(place.lat, place.lon, place.address)


def _window(order: BoardOrder) -> WireWindow | None:
    if order.window_from is None and order.window_to is None:
        return None
    return WireWindow(rfc3339_or_none(order.window_from), rfc3339_or_none(order.window_to))
