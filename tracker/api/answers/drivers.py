"""Responses about drivers, their fixes and their devices."""

from datetime import datetime

import msgspec
from msgspec import Struct

from tracker.database.drivers import Activity
from tracker.domain.driver.device_state import DeviceState, Permission
from tracker.domain.driver.duty import Duty
from tracker.domain.driver.silence import ReasonBasis, Silence, SilenceReason
from tracker.domain.order import Driver, Vehicle
from tracker.domain.tracks.fix import Fix
from tracker.messages import Time, rfc3339, rfc3339_or_none
from tracker.phone_apps.setup import Setup


class FixAnswer(Struct, frozen=True):
    """A fix as the device recorded it, and when the service received it."""

    recorded_at: Time
    """When the device measured it."""
    lat: float
    """Degrees north, WGS 84."""
    lon: float
    """Degrees east, WGS 84."""
    accuracy: float | None
    """Radius in metres around the true place. Null if unknown."""
    speed: float | None
    """Metres per second. Null if unknown."""
    heading: float | None
    """Degrees clockwise from true north, 0 <= heading < 360. Null if unknown."""
    altitude: float | None
    """Metres above the ellipsoid or the sea, as the device gives it. Null if unknown."""
    battery: float | None
    """Charge of the battery, 0..1. Null if unknown."""
    received_at: Time
    """When the service received it."""

    @classmethod
    def of(cls, fix: Fix, received_at: datetime) -> "FixAnswer":
        return cls(
            rfc3339(fix.recorded_at),
            fix.lat,
            fix.lon,
            rounded(fix.accuracy),
            rounded(fix.speed),
            rounded(fix.heading),
            rounded(fix.altitude),
            rounded(fix.battery),
            rfc3339(received_at),
        )


def rounded(reading: float | None) -> float | None:
    """Round a reading to three decimals. The database stores seven digits; more are binary noise."""
    return None if reading is None else round(reading, 3)


class DutyAnswer(Struct, frozen=True):
    """Whether a driver works."""

    on: bool
    """Whether the driver is on duty. Off duty, the service discards their positions."""
    on_break: bool
    """Whether the driver is on a break, which hides their position from customers."""
    since: Time | None
    """When the duty last changed. Null if it never did."""

    @classmethod
    def of(cls, duty: Duty, since: datetime | None) -> "DutyAnswer":
        return cls(duty != "off", duty == "on_break", rfc3339_or_none(since))


class DeviceAnswer(Struct, frozen=True, kw_only=True):
    """State of the driver's device; each field has the newest value that the device reported, or null."""

    reported_at: Time
    """When the device last reported."""
    battery: float | None
    """Charge of the battery, 0..1."""
    battery_low: bool
    """Whether `battery` is below 0.15 and not being charged: the device may soon fall silent."""
    charging: bool | None
    """Whether the battery is being charged."""
    permission: Permission | None
    """Permission of the app to read the position."""
    location_services: bool | None
    """Whether the device's location services are on."""
    power_saving: bool | None
    """Whether the device saves power, which may stop the app in the background."""
    network: str | None
    """Kind of network, such as `wifi`, `mobile` or `none`."""
    app: str | None
    """Name and version of the app."""

    @classmethod
    def of(cls, state: DeviceState) -> "DeviceAnswer | None":
        if state.reported_at is None:
            return None
        values = msgspec.structs.asdict(state.report) | {"battery": rounded(state.report.battery)}
        return cls(reported_at=rfc3339(state.reported_at), battery_low=state.is_battery_low, **values)


class SilenceAnswer(Struct, frozen=True):
    """A driver on duty with an open order sends no positions."""

    since: Time
    """Time of the last position, or when the first one was expected."""
    reason: SilenceReason
    """Likely reason."""
    reason_basis: ReasonBasis
    """Whether the device reported the reason, the service infers it, or there is none."""

    @classmethod
    def of(cls, silence: Silence | None) -> "SilenceAnswer | None":
        if silence is None:
            return None
        return cls(rfc3339(silence.since), silence.reason, silence.reason_basis)


class DriverAnswer(Struct, frozen=True):
    """A driver."""

    id: str
    """Id of the driver."""
    name: str
    """Name of the driver."""
    display_name: str | None
    """What customers read in place of the first name. Null if not given."""
    vehicle: Vehicle
    """What the driver uses."""
    reference: str | None
    """The merchant's own number of the driver. Null if not given."""
    created_at: Time
    """When the driver was created."""
    online: bool
    """Whether the device is connected or has reported lately."""
    last_fix: FixAnswer | None
    """The newest fix. Null without one."""
    orders: list[str]
    """Ids of the open orders, in stop sequence."""
    duty: DutyAnswer
    """Whether the driver works."""
    device: DeviceAnswer | None
    """State of the driver's device. Null if it never reported."""
    silence: SilenceAnswer | None
    """Set while a driver on duty with an open order sends no positions for 60 s or three intervals."""


def driver_answer(
    driver: Driver, activity: Activity, *, online: bool, silence: Silence | None
) -> DriverAnswer:
    fix, received_at = activity.last_fix, activity.received_at
    return DriverAnswer(
        driver.id,
        driver.name,
        driver.display_name,
        driver.vehicle,
        driver.reference,
        rfc3339(driver.created_at),
        online,
        None if fix is None or received_at is None else FixAnswer.of(fix, received_at),
        list(activity.orders),
        DutyAnswer.of(activity.duty, activity.duty_since),
        DeviceAnswer.of(activity.device_now),
        SilenceAnswer.of(silence),
    )


class NewDriverAnswer(Struct, frozen=True, kw_only=True):
    """A driver with the token, which no later response shows, and the settings of each phone app."""

    id: str
    """Id of the driver."""
    name: str
    """Name of the driver."""
    display_name: str | None
    """What customers read in place of the first name. Null if not given."""
    vehicle: Vehicle
    """What the driver uses."""
    reference: str | None
    """The merchant's own number of the driver. Null if not given."""
    created_at: Time
    """When the driver was created."""
    token: str
    """Token of the driver. No later response shows it."""
    setup: Setup
    """What each phone app needs."""
