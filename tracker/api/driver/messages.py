"""What a driver says, apart from fixes: who they are, how far an order is, a few words to its customer."""

import asyncio
from typing import Final

from tracker.api.close import CloseConnection
from tracker.api.errors import problem_of
from tracker.domain.order import Driver, OrderStatus
from tracker.errors import NotFound, RateLimited, TrackerError, Unparsable
from tracker.messages import Ack, DriverNote, ErrorReply, FromDriver, Hello, RawFixes, StatusReport
from tracker.messages.codecs import JsonCodec, MsgpackCodec
from tracker.node import Node
from tracker.websocket.accept import Socket

HELLO_TIMEOUT: Final = 5.0  # seconds
HELLO_LENGTH: Final = 4_096  # bytes or characters; nothing longer is read of a client that may be anybody
ID_LENGTH: Final = 100  # characters


async def await_hello(socket: Socket, codec: JsonCodec | MsgpackCodec) -> str:
    """The token of the first message. Raises Closing where it is late or something else."""
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
    return message.token


def decode_frame(codec: JsonCodec | MsgpackCodec, frame: str | bytes) -> FromDriver | RawFixes:
    """Raises Closing for the wrong kind of frame, Unparsable."""
    if not isinstance(frame, codec.frame_type):
        raise CloseConnection(1003, "wrong_kind")
    return codec.decode(frame)


async def report_status(here: Node, driver: Driver, report: StatusReport) -> Ack | ErrorReply:
    """How far one of the driver's orders is; what is answered."""
    try:
        work = here.orders.set_status(
            _check_id(report.order_id),
            OrderStatus(report.status),
            reason=report.reason,
            at=report.at,
            by_driver=driver.id,
            clock_ahead=here.fleet.clock_ahead(driver.id),
        )
        await here.fleet.shield(work)
    except TrackerError as error:
        return ErrorReply(report.id, _code(error), str(error))
    return Ack(report.id)


async def forward_note(here: Node, driver: Driver, note: DriverNote) -> Ack | ErrorReply:
    """Words to the customer of one of the driver's orders; what is answered."""
    try:
        order_id = _check_id(note.order_id)
        if not here.note_rates.try_take(f"{driver.id} {order_id}", 1.0, asyncio.get_running_loop().time()):
            raise RateLimited("Please wait a little before the next message to this customer.")
        work = here.orders.add_note(order_id, "driver", note.text, by_driver=driver.id)
        await here.fleet.shield(work)
    except TrackerError as error:
        return ErrorReply(note.id, _code(error), str(error))
    return Ack(note.id)


def _check_id(id_: str) -> str:
    """What may be looked up: PostgreSQL takes no U+0000, and no id is longer. Raises NotFound."""
    if "\0" in id_ or len(id_) > ID_LENGTH:
        raise NotFound("order")
    return id_


def _code(error: TrackerError) -> str:
    """The problem's word as a code: `forbidden_transition`."""
    return problem_of(type(error)).code.replace("-", "_")
