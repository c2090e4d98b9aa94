"""Messages of a driver other than fixes: hello, status, notes to customers, duty and the device's state."""

import asyncio
from typing import Final

from msgspec import UNSET, UnsetType

from tracker.api.errors import CloseConnection, problem_of
from tracker.api.idempotency import claim_once
from tracker.domain.driver.duty import duty_of
from tracker.domain.driver.role import Role
from tracker.domain.order import Driver, OrderStatus
from tracker.errors import NotFound, RateLimited, TrackerError, Unparsable
from tracker.live.drivers.trip import Receipt
from tracker.messages import (
    Ack,
    DeviceMessage,
    DriverNote,
    DutyReport,
    ErrorReply,
    FromDriver,
    Hello,
    RawFixes,
    StatusReport,
)
from tracker.messages.codecs import AnyCodec
from tracker.node import Node
from tracker.websocket.accept import Socket

HELLO_TIMEOUT: Final = 5.0  # seconds
HELLO_LENGTH: Final = 4_096  # bytes or characters of the first message, whose sender is not authenticated
ID_LENGTH: Final = 100  # characters


async def await_hello(socket: Socket, codec: AnyCodec) -> tuple[str, Role | None]:
    """Return the token and role of the first message. Raises CloseConnection if it is late or not a hello."""
    try:
        async with asyncio.timeout(HELLO_TIMEOUT):
            frame = await socket.receive()
        if len(frame) > HELLO_LENGTH:
            raise CloseConnection(4008, "no_hello")
        message = decode_frame(codec, frame)
    except TimeoutError:
        raise CloseConnection(4008, "no_hello") from None
    except Unparsable as error:
        raise CloseConnection(4000, "bad_request") from error
    if not isinstance(message, Hello):
        raise CloseConnection(4008, "no_hello")
    if message.token is None:
        raise CloseConnection(4000, "bad_request")
    return message.token, message.role


def fixes_ack(id_: int | None, receipt: Receipt) -> Ack:
    return Ack(id_, receipt.stored, receipt.duplicates, receipt.rejected, receipt.discarded)


def decode_frame(codec: AnyCodec, frame: str | bytes) -> FromDriver | RawFixes:
    """Decode one frame. Raises CloseConnection for the wrong kind of frame, Unparsable."""
    if not isinstance(frame, codec.frame_type):
        raise CloseConnection(1003, "wrong_kind")
    return codec.decode(frame)


async def report_status(node: Node, driver: Driver, report: StatusReport) -> Ack | ErrorReply:
    """Set the status of one of the driver's orders and return the reply."""
    try:
        work = node.orders.set_status(
            check_id(report.order_id),
            OrderStatus(report.status),
            outcome=report.outcome,
            reason=report.reason,
            at=report.at,
            by_driver=driver.id,
            clock_ahead=node.fleet.clock_ahead(driver.id),
        )
        await node.fleet.shield(work)
    except TrackerError as error:
        return ErrorReply(report.id, _code(error), str(error))
    return Ack(report.id)


async def forward_note(node: Node, driver: Driver, note: DriverNote) -> Ack | ErrorReply:
    """Send a note to the customer of one of the driver's orders and return the reply."""
    try:
        await node.fleet.shield(_add_note(node, driver, check_id(note.order_id), note))
    except TrackerError as error:
        return ErrorReply(note.id, _code(error), str(error))
    return Ack(note.id)


async def _add_note(node: Node, driver: Driver, order_id: str, note: DriverNote) -> None:
    """Store and deliver a note, unless its key was used before."""
    async with node.database.transaction() as connection:
        content = f"{order_id} {note.text}"
        if note.key is not None and not await claim_once(
            connection, driver.id, note.key, content, node.now()
        ):
            return
        if not node.note_rates.try_take(f"{driver.id} {order_id}", 1.0, asyncio.get_running_loop().time()):
            raise RateLimited("Too many messages to this customer; send the next one in ten seconds.")
        change = await node.orders.insert_note(connection, order_id, "driver", note.text, by_driver=driver.id)
    await node.orders.notify(change)


async def report_duty(node: Node, driver: Driver, report: DutyReport) -> Ack | ErrorReply:
    """Change the driver's duty and return the reply."""
    try:
        duty = duty_of(on=report.on, on_break=report.on_break)
        await node.fleet.shield(node.fleet.set_duty(driver.id, duty))
    except TrackerError as error:
        return ErrorReply(_reply_id(report.id), _code(error), str(error))
    return Ack(_reply_id(report.id))


async def report_device(node: Node, driver: Driver, message: DeviceMessage) -> Ack | ErrorReply:
    """Keep what the device says about itself and return the reply."""
    try:
        await node.fleet.states.device_reported(driver, message.report)
    except TrackerError as error:
        return ErrorReply(_reply_id(message.id), _code(error), str(error))
    return Ack(_reply_id(message.id))


def _reply_id(id_: int | UnsetType) -> int | None:
    return None if id_ is UNSET else id_


def check_id(id_: str) -> str:
    """Return an id that PostgreSQL accepts: no U+0000, at most `ID_LENGTH`. Raises NotFound."""
    if "\0" in id_ or len(id_) > ID_LENGTH:
        raise NotFound("order")
    return id_


def _code(error: TrackerError) -> str:
    """Return the error code of messages, such as `forbidden_transition`."""
    return problem_of(type(error)).code.replace("-", "_")
