"""Events on the wire: in the list, its stream and webhooks."""

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tracker.domain.driver.silence import ReasonBasis
from tracker.domain.eta.estimate import Eta
from tracker.domain.events.event import Event, EventType, OrderThen
from tracker.domain.order import Outcome
from tracker.messages import Time, rfc3339
from tracker.messages.orders import OrderAnswer, order_answer


class EventData(Struct, frozen=True, kw_only=True):
    """What an event is about: an order or a driver, and what its type adds. Other fields are absent."""

    order: OrderAnswer | UnsetType = UNSET
    """The order. Status, times, driver and window are those of the event; all else is as it is now."""
    driver_id: str | None | UnsetType = UNSET
    """Id of the driver, in events about drivers."""
    outcome: Outcome | UnsetType = UNSET
    """Why the delivery failed, if that was given."""
    reason: str | UnsetType = UNSET
    """The given reason of a status, or why a driver is silent. Absent if unknown or erased."""
    reason_basis: ReasonBasis | UnsetType = UNSET
    """What the reason of a silence rests on."""
    since: Time | UnsetType = UNSET
    """Since when the driver has been silent."""
    verified: bool | UnsetType = UNSET
    """Whether positions show the driver near the dropoff where the delivery failed. Absent if unknown."""
    override: bool | UnsetType = UNSET
    """Whether the status was set although a required proof was missing. Absent: it was not."""
    attempt: int | UnsetType = UNSET
    """Number of the attempt that starts."""
    previous_arrives_at: Time | UnsetType = UNSET
    """Forecast arrival that was reported before, in `order.eta_changed`."""
    device: dict[str, Any] | UnsetType = UNSET
    """State of the driver's device: fields that it has reported, such as `permission` and `battery`."""
    changed: list[str] | UnsetType = UNSET
    """Fields of `device` that changed; `battery` if it fell below 0.15."""


class WireEvent(Struct, frozen=True, kw_only=True):
    """An event."""

    id: str
    """Id of the event, the same in the list, the stream and `webhook-id`."""
    type: EventType
    """What happened. Ignore a type that you do not know: later versions add some."""
    timestamp: Time
    """When it happened."""
    data: EventData
    """What it is about."""


def wire_event(event: Event, *, tracking_url: str | None, eta: Eta | None) -> WireEvent:
    """Return the event for a merchant. *eta* is the present forecast of its order."""
    data: dict[str, Any] = dict(event.detail)
    data.pop("driver_id", None)
    if event.order is None:
        data["driver_id"] = event.driver_id
    known = msgspec.convert(data, EventData)
    if event.order is not None:
        known = msgspec.structs.replace(known, order=_order(event.order, tracking_url, eta))
    return WireEvent(id=event.id, type=event.type, timestamp=rfc3339(event.at), data=known)


def _order(then: OrderThen, tracking_url: str | None, eta: Eta | None) -> OrderAnswer:
    """Return the order with the forecast of the event, or the present one if nothing has changed since."""
    forecast = then.eta or (eta if then.is_current else None)
    return order_answer(then.order, eta=forecast, tracking_url=tracking_url, arrived_at=then.arrived_at)
