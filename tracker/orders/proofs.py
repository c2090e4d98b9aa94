"""Proofs at the stops of an order: which are taken, and the PIN that only the customer knows."""

import hmac
from datetime import datetime, timedelta
from math import inf
from typing import Final

import msgspec

from tracker.database import Connection, Database
from tracker.database import orders as rows
from tracker.database import proofs as proof_rows
from tracker.database.events import timeline
from tracker.database.fixes import Window, last_fix_at_or_before
from tracker.domain.geo import distance
from tracker.domain.order import ON_THE_ROAD, Driver, Order, OrderStatus, Place, StopKind
from tracker.domain.order_rules import driver_status_time, is_of_earlier_attempt, require_order
from tracker.domain.proof import GivenProof, Proof, ProofKind
from tracker.errors import Conflict, FieldError, InvalidFields, RateLimited
from tracker.orders import steps
from tracker.tokens import new_id, new_pin

EARLIER_ATTEMPT: Final = "That happened in an earlier attempt of the order, which has failed."
PROOFS: Final = 50  # of one order
PIN_TRIES: Final = 5  # different wrong ones
PIN_PAUSE: Final = timedelta(minutes=10)  # after them
POSITION_KEPT: Final = timedelta(seconds=120)  # an older position does not show where the driver is


class NewProof(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver sends: an image for a photo or signature, the text of a barcode or PIN."""

    stop: StopKind
    kind: ProofKind
    at: datetime | None = None  # by the device's clock; None: now
    value: str | None = None
    image: bytes | None = None


def with_pin(order: Order) -> Order:
    """Return the order with a PIN if it needs one, and without if it does not."""
    needs_pin = "pin" in order.required("dropoff")
    if needs_pin == (order.pin is not None):
        return order
    return msgspec.structs.replace(order, pin=new_pin() if needs_pin else None)


async def check_pin(database: Database, order_id: str, driver_id: str, pin: str, now: datetime) -> None:
    """Check a PIN and count a wrong one, in a transaction that is committed whatever it finds.

    Without an open PIN of this driver's order it does nothing, and `add_proof` gives the reason. A wrong PIN
    that was tried before is not counted again, so a retry costs nothing and tells nothing.
    Raises InvalidFields for a wrong PIN, RateLimited for ten minutes after five wrong ones.
    """
    async with database.transaction() as connection:
        order = await rows.lock_order(connection, order_id)
        if order is None or order.driver_id != driver_id or not _is_pin_open(order):
            return
        wrong, refused_until = await proof_rows.select_wrong_pins(connection, order_id)
        wait_s = -inf if refused_until is None else (refused_until - now).total_seconds()
        is_right = _is_pin(order, pin)
        if not is_right and wait_s <= 0.0:
            wrong = [*({*wrong, pin} if refused_until is None else {pin})]
            refused_until = now + PIN_PAUSE if len(wrong) >= PIN_TRIES else None
            await proof_rows.update_wrong_pins(connection, order_id, wrong, refused_until)
    if wait_s > 0.0:
        raise RateLimited(f"{PIN_TRIES} wrong PINs were entered; retry later.", after_s=wait_s)
    if not is_right:
        raise _wrong_pin(f"{PIN_TRIES - len(wrong)} further tries are left")


async def add_proof(
    connection: Connection, order_id: str, driver: Driver, new: NewProof, *, now: datetime, ahead: timedelta
) -> Proof:
    """Store a proof inside the caller's transaction; *ahead* is the known offset of the device's clock.

    Raises NotFound (also for another driver's order), Conflict if the stop takes no proof now, InvalidFields.
    """
    order = require_order(await rows.lock_order(connection, order_id), driver.id)
    if is_of_earlier_attempt(order, new.at, ahead):
        raise Conflict(EARLIER_ATTEMPT)
    _check_stop(order, new.stop)
    _check_value(order, new)
    if await proof_rows.count_proofs(connection, order_id) >= PROOFS:
        raise Conflict(f"An order takes at most {PROOFS} proofs.")
    previous, _ = await timeline.select_last_entry_times(connection, order_id)
    at = driver_status_time(new.at, clock_ahead=ahead, previous=previous, now=now).at
    proof = Proof(
        id=new_id("prf"),
        stop=new.stop,
        kind=new.kind,
        at=at,
        distance_m=await metres_from(connection, order, order.place(new.stop), at),
        value=None if new.kind == "pin" else new.value,
        has_image=new.image is not None,
    )
    await proof_rows.insert_proof(
        connection, order_id, proof, driver=driver.number, image=new.image, received_at=now
    )
    detail = {"proof_id": proof.id, "proof": proof.kind, "stop": proof.stop, "driver_id": driver.id}
    await timeline.insert_timeline(connection, order_id, at, "proof", detail)
    given = GivenProof(proof.id, proof.stop, proof.kind, at)
    await steps.store(connection, msgspec.structs.replace(order, proofs=(*order.proofs, given)))
    return proof


async def metres_from(connection: Connection, order: Order, place: Place, at: datetime) -> float | None:
    """Return how far from *place* the order's driver was at that time.

    None if no believed fix of the 2 minutes before shows it.
    """
    *_, assignment = await rows.select_assignments(connection, order.id)
    window = Window(assignment.driver, at - POSITION_KEPT, at)
    last = await last_fix_at_or_before(connection, [window], at)
    return None if last is None else round(distance(last.fix.lonlat, place.lonlat), 1)


def _check_stop(order: Order, stop: StopKind) -> None:
    """Check that a stop takes proofs now. Raises Conflict."""
    if order.status not in ON_THE_ROAD:
        raise Conflict(f"The order is {order.status}; its stops take proofs only while it is open.")
    if stop == "pickup" and order.status is not OrderStatus.ASSIGNED:
        raise Conflict("The order is picked up; its pickup takes no further proof.")
    if stop == "dropoff" and order.status is not OrderStatus.PICKED_UP:
        raise Conflict("The order is not picked up; its dropoff takes proofs after that.")


def _check_value(order: Order, new: NewProof) -> None:
    """Check a barcode or PIN against the order's. Raises InvalidFields, Conflict."""
    if new.kind == "pin":
        if not _is_pin_open(order):
            raise Conflict("The order needs no PIN, or has got it.")
        if not _is_pin(order, new.value or ""):
            raise _wrong_pin("it changed meanwhile")
    required = order.requirements.pickup if new.stop == "pickup" else order.requirements.dropoff
    expected = None if required is None else required.barcode
    if new.kind == "barcode" and expected not in (None, new.value):
        raise InvalidFields([FieldError("value", "is not the barcode that this stop needs")])


def _is_pin_open(order: Order) -> bool:
    is_there = order.status is OrderStatus.PICKED_UP
    return is_there and order.pin is not None and "pin" in order.missing("dropoff")


def _is_pin(order: Order, pin: str) -> bool:
    """Compare in constant time, so that the time of an answer tells nothing."""
    return hmac.compare_digest((order.pin or "").encode(), pin.encode("utf-8", "replace"))


def _wrong_pin(more: str) -> InvalidFields:
    return InvalidFields([FieldError("value", f"is not the PIN on the customer's page; {more}")])
