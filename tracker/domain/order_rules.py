"""Rules for changes of an order and for the values that clients send with them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from tracker.domain.area import Area, place_error
from tracker.domain.order import Order, OrderStatus, Place, StopKind, check_transition
from tracker.errors import Conflict, FieldError, InvalidFields, NotFound, StaleVersion

MERCHANT_AHEAD: Final = timedelta(seconds=1)  # tolerance for a merchant's clock; within it, now
MILLISECOND: Final = timedelta(milliseconds=1)  # the resolution of the API


def require_order(order: Order | None, by_driver: str | None = None) -> Order:
    """Return the order. Raises NotFound if there is none or it belongs to another driver than *by_driver*."""
    if order is None or (by_driver is not None and order.driver_id != by_driver):
        raise NotFound("order")
    return order


def check_version(order: Order, wanted: Collection[int] | None) -> None:
    """Check that the order has one of the *wanted* versions; None: any. Raises StaleVersion."""
    if wanted is not None and order.version not in wanted:
        raise StaleVersion(order.version)


def drivers_of(*orders: Order) -> tuple[str, ...]:
    """Return the distinct drivers of these versions of an order."""
    return tuple(dict.fromkeys(order.driver_id for order in orders if order.driver_id is not None))


def has_been(order: Order, status: OrderStatus) -> bool:
    """Return whether the order reached *status* since its last assignment; always true for `created`."""
    return getattr(order, f"{status}_at") is not None


def is_of_earlier_attempt(order: Order, at: datetime | None, clock_ahead: timedelta) -> bool:
    """Return whether a driver's device says that it did something in an earlier attempt of the order.

    A time before the order was created is a wrong clock and says nothing.
    """
    if at is None or order.attempt_at is None:
        return False
    return order.created_at <= at < order.attempt_at + clock_ahead


def check_change(status: OrderStatus, wanted: OrderStatus) -> None:
    """Check a change of status. Raises ForbiddenTransition; Conflict for `assigned`, which needs a driver."""
    if wanted is OrderStatus.ASSIGNED and status is OrderStatus.CREATED:
        raise Conflict("Status assigned needs a driver; use POST /v1/orders/{id}/assign.")
    check_transition(status, wanted)


class StatusTime(NamedTuple):
    """The times of a change of status, in UTC.

    A reported time may be wrong. So links expire by *known_at*, and a track ends at *track_ends_at*, which is
    never before its start.
    """

    at: datetime  # shown by the order and its timeline; from the previous status to `known_at`
    known_at: datetime  # when the server received the change
    track_ends_at: datetime  # where the driver's part in the order ends, if this status ends it


def merchant_status_time(at: datetime | None, *, previous: datetime, now: datetime) -> StatusTime:
    """Return the times of a status that an API client sets; *at* None means now.

    Raises InvalidFields if *at* is before the order's previous status or after *now*.
    """
    previous, now = whole_ms(previous), max(whole_ms(now), previous)
    if at is None:
        return StatusTime(now, now, now)
    if at - now > MERCHANT_AHEAD:
        raise InvalidFields([FieldError("at", "must not be after now; omit it if the status begins now")])
    if at - previous <= -MILLISECOND:
        detail = "must not be before the order's previous status; see the order's timestamps"
        raise InvalidFields([FieldError("at", detail)])
    return _clamped_time(at - now, previous, now, previous)


def driver_status_time(
    at: datetime | None,
    *,
    clock_ahead: timedelta,
    previous: datetime,
    now: datetime,
    seen_at: datetime | None = None,
) -> StatusTime:
    """Return the times of a status that a driver reports, *at* by the device's clock; None means now.

    *clock_ahead* is the known offset of that clock. The remaining error is clamped: no time is rejected, as
    the driver could not correct it. A time not after the previous status becomes that status's time, or the
    one of the order's last milestone (*seen_at*).
    """
    previous, now = whole_ms(previous), max(whole_ms(now), previous)
    if at is None:
        return StatusTime(now, now, now)
    return _clamped_time(at - now - clock_ahead, previous, now, seen_at or previous)


def _clamped_time(since_now: timedelta, previous: datetime, now: datetime, seen_at: datetime) -> StatusTime:
    """Return *now* plus *since_now*, clamped. It takes a difference, as year 1 minus an offset overflows."""
    if since_now <= previous - now:  # a wrong clock, which does not determine where a track ends
        return StatusTime(min(max(previous, whole_ms(seen_at)), now), now, now)
    at = whole_ms(now + min(since_now, timedelta(0)))
    return StatusTime(at, now, at)


def late_s(due_at: datetime | None, arrival: datetime | None) -> int | None:
    """Return the whole seconds of an arrival after the end of its window; 0 if in time, None if unknown."""
    if due_at is None or arrival is None:
        return None
    return max(round((arrival - due_at).total_seconds()), 0)


def whole_ms(at: datetime) -> datetime:
    """Round down to ms, as in the API, so that a time that a client sends back stays the same instant."""
    return at.replace(microsecond=at.microsecond // 1_000 * 1_000)


def check_places(places: Mapping[str, Place], area: Area | None) -> None:
    """Check the *places* of stops, by field. Raises InvalidFields with each implausible one."""
    wrong = [(field, place_error(place.lonlat, area)) for field, place in places.items()]
    if errors := [FieldError(field, why) for field, why in wrong if why is not None]:
        raise InvalidFields(errors)


def require_text(field: str, text: str, limit: int) -> str:
    """Return *text* without surrounding white space.

    Raises InvalidFields if it is empty, holds NUL or exceeds *limit* bytes of UTF-8.
    """
    text = text.strip()
    if not text or "\0" in text:
        raise InvalidFields([FieldError(field, "must not be empty or contain NUL")])
    if len(text.encode("utf-8", "replace")) > limit:
        raise InvalidFields([FieldError(field, f"must have at most {limit} bytes in UTF-8")])
    return text


def check_sequence(wanted: Sequence[tuple[str, StopKind]], remaining: Sequence[tuple[str, StopKind]]) -> None:
    """Check that each remaining stop occurs once, each pickup before its dropoff.

    Raises InvalidFields with every violation.
    """
    left = set(remaining)
    wrong: list[FieldError] = []
    for index, stop in enumerate(wanted):
        if why := _sequence_error(stop, left, known=stop in remaining):
            wrong.append(FieldError(f"stops[{index}]", why))
        left.discard(stop)
    if left:
        missing = ", ".join(f"{kind} of {order_id}" for order_id, kind in sorted(left))
        wrong.append(FieldError("stops", f"must hold every remaining stop; missing: {missing}"))
    if wrong:
        raise InvalidFields(wrong)


def _sequence_error(
    stop: tuple[str, StopKind], left: set[tuple[str, StopKind]], *, known: bool
) -> str | None:
    order_id, kind = stop
    if not known:
        return "is not one of this driver's remaining stops"
    if stop not in left:
        return "is a duplicate; list each stop once"
    if kind == "dropoff" and (order_id, "pickup") in left:
        return "comes before the pickup of its order"
    return None
