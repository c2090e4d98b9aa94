"""What may be done with an order, and what may be said about it; each refusal is an error of its own."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from tracker.domain.order import Order, OrderStatus, StopKind, check_transition
from tracker.errors import Conflict, FieldError, InvalidFields, NotFound

FUTURE: Final = timedelta(seconds=60)  # how far a reporter's clock may be ahead of ours
FIRST_YEAR: Final = 2000  # a clock that says less was never set


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


def past(field: str, at: datetime | None, now: datetime) -> datetime:
    """`at`, or `now` where it is not given; InvalidFields for the future and clocks never set."""
    if at is None:
        return now
    if at > now + FUTURE:
        raise InvalidFields([FieldError(field, "Must not lie in the future.")])
    if at.year < FIRST_YEAR:
        raise InvalidFields([FieldError(field, f"Must not lie before the year {FIRST_YEAR}.")])
    return at


def words(field: str, text: str, limit: int) -> str:
    """`text` without spaces around it; InvalidFields for none and for more than `limit` bytes of UTF-8."""
    text = text.strip()
    if not text or "\0" in text:
        raise InvalidFields([FieldError(field, "Must hold some text.")])
    if len(text.encode("utf-8", "replace")) > limit:
        raise InvalidFields([FieldError(field, f"Must have at most {limit} bytes.")])
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
        wrong.append(FieldError("stops", f"Must hold every remaining stop; missing: {missing}."))
    if wrong:
        raise InvalidFields(wrong)


def _misplaced(stop: tuple[str, StopKind], left: set[tuple[str, StopKind]], *, known: bool) -> str | None:
    order_id, kind = stop
    if not known:
        return "Is no remaining stop of this driver."
    if stop not in left:
        return "Comes twice."
    if kind == "dropoff" and (order_id, "pickup") in left:
        return "Comes before the pickup of its order."
    return None
