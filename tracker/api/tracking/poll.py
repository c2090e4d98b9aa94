"""`GET /v1/track/<token>` and `…/poll`: one snapshot, and the live view as long polling."""

import asyncio
from math import ceil
from typing import Annotated, Final

import msgspec
from quart import Blueprint, Response, request

from tracker.api.describe import endpoint
from tracker.api.errors import PROBLEM_JSON, details
from tracker.api.json_bodies import answer, query
from tracker.api.tracking.link import find_link, snapshot_of
from tracker.api.tracking.session import UPDATE_GAP, TrackingSession, open_session
from tracker.errors import StorageUnavailable, TooManyConnections
from tracker.live.delivery.subscription import Outgoing
from tracker.messages import End, Heartbeat, NoteToCustomer, Snapshot, Update
from tracker.node import current_node

LONGEST_WAIT: Final = 60  # seconds
NO_STORE: Final = "no-store"

blueprint = Blueprint("tracking_poll", __name__)

WaitSeconds = Annotated[
    float, msgspec.Meta(ge=0, le=LONGEST_WAIT, description="Seconds to wait for new messages.")
]

Visit = Annotated[
    str,
    msgspec.Meta(
        description="A random name (8 to 64 letters, digits, - and _) of one load of a page. Its connections "
        "without a cursor count as one opening of the link."
    ),
]


class PollQuery(msgspec.Struct, frozen=True):
    """Where a poll continues, and how long it may wait."""

    cursor: str = ""
    """Cursor of the last response. Without one the response begins with a snapshot."""
    wait_s: WaitSeconds = 25.0
    """Seconds to wait for new messages."""
    visit: Visit = ""
    """Random name of one load of a page."""


class PollAnswer(msgspec.Struct, frozen=True):
    """The new messages, and the cursor for the next poll."""

    messages: list[Snapshot | Update | NoteToCustomer | Heartbeat | End]
    """New messages, in sequence."""
    cursor: str
    """Send it with the next poll."""


@blueprint.get("/v1/track/<token>")
@endpoint(answer=Snapshot)
async def one_snapshot(token: str) -> Response:
    """Get the state of the order as one snapshot."""
    return _no_store(answer((await snapshot_of(token))[0]))


@blueprint.get("/v1/track/<token>/poll")
@endpoint(query=PollQuery, answer=PollAnswer, others={204: None}, raises=(TooManyConnections,))
async def poll(token: str) -> Response:
    """Get a snapshot, or what changed since the cursor; wait for new messages, or answer 204 after wait_s."""
    wanted = query(PollQuery)
    if request.method == "HEAD":
        await find_link(current_node(), token)
        return _no_store(Response(status=204))
    async with open_session(current_node(), token, "poll", wanted.cursor, wanted.visit) as session:
        pending = await _collect(session, wanted.wait_s)
        if pending:
            messages = b",".join(outgoing.json().encode() for outgoing in pending)
            content = b'{"messages":[%b],"cursor":%b}' % (messages, msgspec.json.encode(session.cursor))
            return _no_store(Response(content, content_type="application/json"))
        return _restarting_response() if session.subscription.restarting else _no_store(Response(status=204))


async def _collect(session: TrackingSession, wait_s: float) -> list[Outgoing]:
    """Wait for messages and return them, at most twice a second, as on the other transports."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    await session.wait(wait_s)
    if not session.has_snapshot:
        await asyncio.sleep(begun + min(UPDATE_GAP, wait_s) - clock())
    return session.take_all()


def _restarting_response() -> Response:
    """Return 503 with a random delay, so that not all customers reconnect at once."""
    delay_s = current_node().fleet.restart.delay_s()
    error = StorageUnavailable("The server is shutting down; reconnect.")
    headers = {"Retry-After": str(ceil(delay_s)), "Cache-Control": NO_STORE}
    return Response(msgspec.json.encode(details(error)), 503, headers, content_type=PROBLEM_JSON)


def _no_store(response: Response) -> Response:
    response.headers["Cache-Control"] = NO_STORE
    return response
