"""Errors of the API: the one table from TrackerError to HTTP status and close code, and error responses.

Every error response is `application/problem+json` (RFC 9457). `type` is a relative reference,
`/problems/<code>`, to a page that explains the problem; programs compare it as text.
"""

from http import HTTPStatus
from math import ceil
from typing import Any, Final, NamedTuple, cast

import msgspec
import structlog
from quart import Blueprint, Quart, Response, g
from werkzeug.exceptions import HTTPException

from tracker import errors
from tracker.messages.problems import ProblemDetails, WireCandidate, WireFieldError

PROBLEM_JSON: Final = "application/problem+json"
RETRY_AFTER: Final = "5"  # seconds, for every 503 and 429 without a delay of its own

_log = structlog.get_logger("tracker.api")
blueprint = Blueprint("problems", __name__)


class CloseConnection(Exception):
    """Close the WebSocket now, from any depth of an endpoint, with this close code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Problem(NamedTuple):
    """How one kind of error appears: in HTTP, as a close code, and on its page."""

    status: int
    close_code: int  # 40xx: do not retry unchanged, 41xx: back off
    code: str
    title: str
    meaning: str


OUR_FAULT: Final = Problem(500, 1011, "internal", "Internal error", "An internal error; retry later.")

# `problem_of` takes the row of the nearest base class.
TABLE: Final[dict[type[errors.TrackerError], Problem]] = {
    errors.TrackerError: OUR_FAULT,
    errors.BadInput: Problem(
        400, 4000, "bad-request", "Bad request", "The request is malformed; `detail` says what to change."
    ),
    errors.Unparsable: Problem(
        400, 4000, "unparsable", "Unreadable body", "The body is not JSON in UTF-8, or is nested too deeply."
    ),
    errors.InvalidFields: Problem(
        422,
        4000,
        "invalid-fields",
        "Wrong values",
        "Fields are missing, unknown or wrong; `errors` names each and what is allowed.",
    ),
    errors.TooLarge: Problem(
        413, 1009, "too-large", "Too large", "The body exceeds the limit; send less at once."
    ),
    errors.AccessError: Problem(403, 4003, "forbidden", "Forbidden", "The key is valid but lacks the scope."),
    errors.Unauthenticated: Problem(
        401, 4001, "unauthenticated", "Unauthenticated", "The key or token is missing, unknown or revoked."
    ),
    errors.Forbidden: Problem(403, 4003, "forbidden", "Forbidden", "The key is valid but lacks the scope."),
    errors.ForeignOrigin: Problem(
        403, 4003, "foreign-origin", "Foreign origin", "The cookie came without this service's `Origin`."
    ),
    errors.CustomerMayNot: Problem(
        403, 4003, "customer-may-not", "Not allowed here", "The brand's `customer_may` lists what is allowed."
    ),
    errors.NotFound: Problem(
        404,
        4003,
        "not-found",
        "Not found",
        "It does not exist or is not yours; the response does not tell which.",
    ),
    errors.CursorGone: Problem(
        410,
        4000,
        "cursor-gone",
        "Cursor gone",
        "Events after this cursor were deleted for their age, or the database was restored. Begin without "
        "`after`, and read the orders to see what was missed.",
    ),
    errors.Conflict: Problem(409, 4000, "conflict", "Conflict", "The current state does not allow this."),
    errors.ForbiddenTransition: Problem(
        409,
        4000,
        "forbidden-transition",
        "Forbidden transition",
        "The order cannot get this status now; `allowed` lists the statuses that may follow.",
    ),
    errors.ProofMissing: Problem(
        409,
        4000,
        "proof-missing",
        "Proof missing",
        "The stop needs proofs that the driver has not given; `detail` names them.",
    ),
    errors.NoSequence: Problem(
        409,
        4000,
        "no-sequence",
        "No sequence",
        "No route on the map connects all stops of this driver; their sequence is unchanged.",
    ),
    errors.StaleVersion: Problem(
        412,
        4000,
        "stale-version",
        "Changed meanwhile",
        "The order has another version than `If-Match` names; read it again.",
    ),
    errors.IdempotencyMismatch: Problem(
        409,
        4000,
        "idempotency-mismatch",
        "Key used before",
        "The Idempotency-Key was used with another body; use a new key.",
    ),
    errors.AnswerErased: Problem(
        409,
        4000,
        "answer-erased",
        "Answer erased",
        "The Idempotency-Key was used, and the response was erased with personal data; use a new key.",
    ),
    errors.Throttled: Problem(
        429, 4103, "rate-limited", "Too many requests", "Retry after the seconds in `Retry-After`."
    ),
    errors.TooManyConnections: Problem(
        429,
        4029,
        "too-many-connections",
        "Too many connections",
        "The tracking link or the address has too many live views; close some.",
    ),
    errors.StorageUnavailable: Problem(
        503, 4101, "storage-unavailable", "Storage unavailable", "Nothing was stored; retry later."
    ),
    errors.OwnerUnavailable: Problem(
        503, 4100, "owner-unavailable", "Owner unavailable", "Another node has this driver; retry later."
    ),
    errors.LeaseLost: Problem(
        503, 4100, "lease-lost", "Lease lost", "Another node has this driver now; retry."
    ),
    errors.BusUnavailable: Problem(
        503, 4100, "bus-unavailable", "Bus unavailable", "Another node did not answer; retry later."
    ),
    errors.MapUnavailable: Problem(
        503,
        4100,
        "map-unavailable",
        "Map unavailable",
        "The map is being prepared, or its preparation failed.",
    ),
    errors.RoutingError: Problem(
        503, 4100, "routing", "No route", "The router returned no route; retry later."
    ),
    errors.NoRoute: Problem(404, 4000, "no-route", "No route", "No route on the map connects these places."),
    errors.RouterUnavailable: Problem(
        503, 4100, "router-unavailable", "Router unavailable", "The router is down or too slow; retry later."
    ),
}


def problem_of(kind: type[BaseException]) -> Problem:
    """Return the row of the nearest base class of *kind*; other exceptions are internal errors."""
    return next((TABLE[cls] for cls in kind.__mro__ if cls in TABLE), OUR_FAULT)


def close_code(error: BaseException) -> int:
    """Return the WebSocket close code for *error*."""
    return problem_of(type(error)).close_code


def problem_type(code: str) -> str:
    return f"/problems/{code}"


def details(error: errors.TrackerError) -> ProblemDetails:
    """Return the public details of an error: never its cause, and no text of an internal error."""
    problem = problem_of(type(error))
    detail = "" if problem is OUR_FAULT or isinstance(error, errors.InvalidFields) else str(error)
    if isinstance(error, errors.InvalidFields) and error.more:
        detail = f"`errors` names the first {len(error.errors)} wrong fields; there are {error.more} more."
    return ProblemDetails(
        problem_type(problem.code),
        problem.title,
        problem.status,
        detail or problem.meaning,
        *_extensions(error),
    )


def _extensions(error: errors.TrackerError) -> tuple[Any, Any]:
    match error:
        case errors.AddressNotFound():
            return [_address_error(error, each) for each in error.errors], msgspec.UNSET
        case errors.InvalidFields():
            return [WireFieldError(*field_error) for field_error in error.errors], msgspec.UNSET
        case errors.ForbiddenTransition():
            return msgspec.UNSET, list(error.allowed)
        case _:
            return msgspec.UNSET, msgspec.UNSET


def _address_error(error: errors.AddressNotFound, wrong: errors.FieldError) -> WireFieldError:
    found = [WireCandidate(*each) for each in error.candidates.get(wrong.field, ())]  # type: ignore[arg-type]
    return WireFieldError(wrong.field, wrong.detail, found)


def register_errors(app: Quart) -> None:
    """Make *app* respond to every failure with a problem."""
    app.register_blueprint(blueprint)
    app.register_error_handler(errors.TrackerError, cast("Any", _tracker_error_response))
    app.register_error_handler(HTTPException, cast("Any", http_error_response))
    app.register_error_handler(Exception, _unexpected_error_response)


async def _tracker_error_response(error: errors.TrackerError) -> Response:
    problem = details(error)
    if problem.status >= 500:
        _log.error("request_failed", problem=problem.type, exc_info=error)
    response = _response(problem)
    if isinstance(error, errors.RateLimited) and error.after_s is not None:
        response.headers["Retry-After"] = str(ceil(error.after_s))
    return response


async def http_error_response(error: HTTPException) -> Response:
    """Respond to errors of the framework, such as unknown paths, methods and hosts."""
    status = HTTPStatus(error.code or 500)
    code = status.phrase.lower().replace(" ", "-")
    detail = f"{status.description or status.phrase}."
    response = _response(ProblemDetails(problem_type(code), status.phrase, status, detail))
    if allow := error.get_response().headers.get("Allow"):
        response.headers["Allow"] = allow
    return response


async def _unexpected_error_response(error: Exception) -> Response:
    _log.error("request_crashed", exc_info=error)
    return _response(
        ProblemDetails(problem_type(OUR_FAULT.code), OUR_FAULT.title, OUR_FAULT.status, OUR_FAULT.meaning)
    )


def _response(problem: ProblemDetails) -> Response:
    g.problem = problem.type.rpartition("/")[2]  # for the log
    response = Response(msgspec.json.encode(problem), status=problem.status, content_type=PROBLEM_JSON)
    response.headers["Cache-Control"] = "private, no-store"
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="tracker"'
    if problem.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        response.headers["Retry-After"] = RETRY_AFTER
    return response


@blueprint.get("/problems")
@blueprint.get("/problems/<code>")
async def describe_problems(code: str | None = None) -> Response:
    """Explain one problem as plain text, or all of them for an unknown code."""
    rows = {problem.code: problem for problem in TABLE.values()}
    selected = [rows[code]] if code in rows else list(rows.values())
    text = "\n\n".join(
        f"{problem.code} ({problem.status}): {problem.title}\n{problem.meaning}" for problem in selected
    )
    return Response(text + "\n", content_type="text/plain; charset=utf-8")
