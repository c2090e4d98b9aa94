"""What may be done with an order, and what may be said about it; each refusal is an error of its own."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from tracker.domain.area import Area, why_not
from tracker.domain.order import Order, OrderStatus, Place, StopKind, check_transition
from tracker.errors import Conflict, FieldError, InvalidFields, NotFound

MERCHANT_AHEAD: Final = timedelta(seconds=1)  # a merchant's clock may be so far ahead; its "now" is ours
MILLISECOND: Final = timedelta(milliseconds=1)  # the resolution of the API


def found(order: Order | None, by_driver: str | None = None) -> Order:
    """NotFound for none, and for another driver's."""
    if order is None or (by_driver is not None and order.driver_id != by_driver):
        raise NotFound("order")
    return order


def drivers_of(*orders: Order) -> tuple[str, ...]:
    """Everyone who has or had a part in it, once."""
    return tuple(dict.fromkeys(order.driver_id for order in orders if order.driver_id is not None))


def has_been(order: Order, status: OrderStatus) -> bool:
    """Whether the order is or was there since it was last assigned; `created` it always was."""
    return getattr(order, f"{status}_at") is not None


def check_change(status: OrderStatus, wanted: OrderStatus) -> None:
    """ForbiddenTransition, and Conflict for `assigned`, which needs a driver."""
    if wanted is OrderStatus.ASSIGNED and status is OrderStatus.CREATED:
        raise Conflict("An order becomes assigned by being given a driver: POST /v1/orders/{id}/assign.")
    check_transition(status, wanted)


class StatusTime(NamedTuple):
    """When an order came to a status, UTC.

    A reporter's time may be wrong, so two things never depend on it: whether an order's links still open
    (*known_at* counts), and whether its track ends before it has begun (*track_ends_at*).
    """

    at: datetime  # what the order and its timeline show: from the previous status to `known_at`
    known_at: datetime  # when the server learned of it
    track_ends_at: datetime  # where the driver's part in the order ends, if this status ends it


def merchant_status_time(at: datetime | None, *, previous: datetime, now: datetime) -> StatusTime:
    """The time of a status that an API key sets; *at* None means now.

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
    return _between(at - now, previous, now, previous)


def driver_status_time(
    at: datetime | None,
    *,
    clock_ahead: timedelta,
    previous: datetime,
    now: datetime,
    seen_at: datetime | None = None,
) -> StatusTime:
    """The time of a status that a driver reports, *at* by the device's clock; None means now.

    *clock_ahead* is how far that clock is known to be ahead. What is left of its error is clamped: no time is
    refused, since the driver could do nothing about it. A time that is not after the previous status becomes
    that status's, or the one at which positions showed the order last (*seen_at*).
    """
    previous, now = whole_ms(previous), max(whole_ms(now), previous)
    if at is None:
        return StatusTime(now, now, now)
    return _between(at - now - clock_ahead, previous, now, seen_at or previous)


def _between(since_now: timedelta, previous: datetime, now: datetime, seen_at: datetime) -> StatusTime:
    """*since_now* after *now*, clamped. A difference, because year 1 cannot be set back further."""
    if since_now <= previous - now:  # a wrong clock, which cannot say where a track ends
        return StatusTime(min(max(previous, whole_ms(seen_at)), now), now, now)
    at = whole_ms(now + min(since_now, timedelta(0)))
    return StatusTime(at, now, at)


def late_s(due_at: datetime | None, arrival: datetime | None) -> int | None:
    """Whole seconds that an arrival is after the end of its window, 0 if it is in time; None if unknown."""
    if due_at is None or arrival is None:
        return None
    return max(round((arrival - due_at).total_seconds()), 0)


def whole_ms(at: datetime) -> datetime:
    """As the API shows it: a time that a client reads and sends back is the same instant."""
    return at.replace(microsecond=at.microsecond // 1_000 * 1_000)


def check_places(places: Mapping[str, Place], area: Area | None) -> None:
    """Raises InvalidFields with each of the *places*, by field, that nobody can mean for a stop."""
    wrong = [(field, why_not(place.lonlat, area)) for field, place in places.items()]
    if found := [FieldError(field, why) for field, why in wrong if why is not None]:
        raise InvalidFields(found)


def words(field: str, text: str, limit: int) -> str:
    """`text` without spaces around it; InvalidFields for none and for more than `limit` bytes of UTF-8."""
    text = text.strip()
    if not text or "\0" in text:
        raise InvalidFields([FieldError(field, "must hold some text")])
    if len(text.encode("utf-8", "replace")) > limit:
        raise InvalidFields([FieldError(field, f"must have at most {limit} bytes")])
    return text


def check_sequence(wanted: Sequence[tuple[str, StopKind]], remaining: Sequence[tuple[str, StopKind]]) -> None:
    """Each remaining stop once, a pickup before its dropoff; InvalidFields names all that breaks it."""
    left = set(remaining)
    wrong: list[FieldError] = []
    for index, stop in enumerate(wanted):
        if why := _misplaced(stop, left, known=stop in remaining):
            wrong.append(FieldError(f"stops[{index}]", why))
        left.discard(stop)
    if left:
        missing = ", ".join(f"{kind} of {order_id}" for order_id, kind in sorted(left))
        wrong.append(FieldError("stops", f"must hold every remaining stop; missing: {missing}"))
    if wrong:
        raise InvalidFields(wrong)


def _misplaced(stop: tuple[str, StopKind], left: set[tuple[str, StopKind]], *, known: bool) -> str | None:
    order_id, kind = stop
    if not known:
        return "is not one of this driver's remaining stops"
    if stop not in left:
        return "is a duplicate; list each stop once"
    if kind == "dropoff" and (order_id, "pickup") in left:
        return "comes before the pickup of its order"
    return None
