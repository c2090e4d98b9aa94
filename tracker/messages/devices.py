"""Messages about a driver's duty and the state of the device."""

from msgspec import UNSET, Struct, UnsetType

from tracker.domain.driver.device_state import DeviceReport, Permission
from tracker.domain.driver.duty import Duty
from tracker.messages.fields import Id


class WireDuty(Struct, frozen=True):
    """Whether a driver works."""

    on: bool
    """Whether the driver is on duty. Off duty, the service discards their positions."""
    on_break: bool
    """Whether the driver is on a break, which hides their position from customers."""

    @classmethod
    def of(cls, duty: Duty) -> "WireDuty":
        return cls(duty != "off", duty == "on_break")


class DutyReport(Struct, tag="duty", tag_field="type"):
    """The driver goes on or off duty, or takes a break. It counts from its receipt."""

    on: bool
    """Whether the driver is on duty. Off duty, the service discards their positions."""
    on_break: bool = False
    """Whether the driver takes a break, on duty: customers don't see the position, the forecast stays."""
    id: Id | UnsetType = UNSET
    """A number that the client chooses; the ack repeats it."""


class DeviceMessage(Struct, tag="device", tag_field="type"):
    """State of the device. Send what changed; an absent or null field keeps its last value."""

    battery: float | None = None
    """Charge of the battery, 0..1; other values are ignored."""
    charging: bool | None = None
    """Whether the battery is being charged."""
    permission: Permission | None = None
    """Permission of the app to read the position."""
    location_services: bool | None = None
    """Whether the device's location services are on."""
    power_saving: bool | None = None
    """Whether the device saves power, which may stop the app in the background."""
    network: str | None = None
    """Kind of network, such as `wifi`, `mobile` or `none`; 100 characters are kept."""
    app: str | None = None
    """Name and version of the app; 100 characters are kept."""
    id: Id | UnsetType = UNSET
    """A number that the client chooses; the ack repeats it."""

    @property
    def report(self) -> DeviceReport:
        return DeviceReport(
            battery=self.battery,
            charging=self.charging,
            permission=self.permission,
            location_services=self.location_services,
            power_saving=self.power_saving,
            network=self.network,
            app=self.app,
        )


class DutyChange(Struct, tag="duty", tag_field="type"):
    """The merchant or another device of the driver changed the duty."""

    on: bool
    """Whether the driver is on duty. Off duty, the service discards their positions."""
    on_break: bool
    """Whether the driver is on a break, which hides their position from customers."""

    @classmethod
    def of(cls, duty: Duty) -> "DutyChange":
        return cls(duty != "off", duty == "on_break")
