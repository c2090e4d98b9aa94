"""Errors at the edge: the one table from TrackerError to HTTP status and close code, and what is answered.

Every answer that is not a success is `application/problem+json` (RFC 9457). `type` is a relative reference,
`/problems/<code>`, where a person finds what the problem means; programs compare it as text.
"""

from http import HTTPStatus
from math import ceil
from typing import Annotated, Any, Final, NamedTuple, cast

import msgspec
import structlog
from quart import Blueprint, Quart, Response
from werkzeug.exceptions import HTTPException

from tracker import errors
from tracker.domain.order import OrderStatus

PROBLEM_JSON: Final = "application/problem+json"
RETRY_AFTER: Final = "5"  # seconds, with every 503 and 429 that does not know better

_log = structlog.get_logger("tracker.api")
blueprint = Blueprint("problems", __name__)


class Problem(NamedTuple):
    """How one kind of error is told: over HTTP, to a socket, and on its page."""

    status: int
    close_code: int  # of the public interface: 40xx do not come back unchanged, 41xx back off
    code: str
    title: str
    meaning: str


OUR_FAULT: Final = Problem(
    500, 1011, "internal", "Our fault", "Something went wrong here; the request may be sent again later."
)

# The nearest class of an error counts: `_problem_of` walks up its ancestry.
TABLE: Final[dict[type[errors.TrackerError], Problem]] = {
    errors.TrackerError: OUR_FAULT,
    errors.BadInput: Problem(
        400, 4000, "bad-request", "Bad request", "The request cannot be taken as it is."
    ),
    errors.Unparsable: Problem(
        400, 4000, "unparsable", "Unreadable body", "The body is not JSON in UTF-8, or is nested too deeply."
    ),
    errors.InvalidFields: Problem(
        422,
        4000,
        "invalid-fields",
        "Wrong values",
        "Fields are missing, unknown or wrong: `errors` names each.",
    ),
    errors.TooLarge: Problem(413, 1009, "too-large", "Too large", "The body is longer than the limit."),
    errors.AccessError: Problem(403, 4003, "forbidden", "Forbidden", "The key is good, but not for this."),
    errors.Unauthenticated: Problem(
        401,
        4001,
        "unauthenticated",
        "Unauthenticated",
        "There is no key or token, or it is not known (any more).",
    ),
    errors.Forbidden: Problem(403, 4003, "forbidden", "Forbidden", "The key is good, but not for this."),
    errors.NotFound: Problem(
        404,
        4003,
        "not-found",
        "Not found",
        "It does not exist or is not yours; the answer is the same for both.",
    ),
    errors.Conflict: Problem(409, 4000, "conflict", "Conflict", "This is not possible in the present state."),
    errors.ForbiddenTransition: Problem(
        409,
        4000,
        "forbidden-transition",
        "Forbidden transition",
        "`allowed` holds the statuses that may follow.",
    ),
    errors.NoSequence: Problem(
        409,
        4000,
        "no-sequence",
        "No sequence",
        "No way on the map leads through all stops of this driver; their sequence stays as it was.",
    ),
    errors.IdempotencyMismatch: Problem(
        409,
        4000,
        "idempotency-mismatch",
        "Key used before",
        "The Idempotency-Key came earlier with another body.",
    ),
    errors.Throttled: Problem(
        429, 4103, "rate-limited", "Too much at once", "The same is welcome again after a while."
    ),
    errors.TooManyConnections: Problem(
        429,
        4029,
        "too-many-connections",
        "Too many connections",
        "One tracking link and one address may have only so many live views at a time.",
    ),
    errors.StorageUnavailable: Problem(
        503, 4101, "storage-unavailable", "Storage unavailable", "Nothing was stored; send it again later."
    ),
    errors.MapUnavailable: Problem(
        503, 4100, "map-unavailable", "Map unavailable", "The map is being prepared, or could not be."
    ),
    errors.RoutingError: Problem(503, 4100, "routing", "No route", "The router gave no route."),
    errors.NoRoute: Problem(
        404, 4000, "no-route", "No route", "There is no way between these places on the map."
    ),
    errors.RouterUnavailable: Problem(
        503, 4100, "router-unavailable", "Router unavailable", "The router is down or took too long."
    ),
}


UriReference = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uri-reference"})]


class WireFieldError(msgspec.Struct, frozen=True):
    """One wrong value: where it stands, as `pickup.lat` or `stops[0].kind`, and what would be right."""

    field: str
    """Path to the wrong value, as `pickup.lat` or `stops[0].kind`."""
    detail: str
    """What is allowed."""


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457; `errors` comes with wrong values, `allowed` with a forbidden transition."""

    type: UriReference
    """Kind of the problem: `/problems/<code>`, a page that explains it."""
    title: str
    """The kind in words."""
    status: int
    """HTTP status."""
    detail: str
    """What is wrong with this request."""
    errors: list[WireFieldError] | msgspec.UnsetType = msgspec.UNSET
    """Each wrong field."""
    allowed: list[OrderStatus] | msgspec.UnsetType = msgspec.UNSET
    """Statuses that may follow."""


def problem_of(kind: type[BaseException]) -> Problem:
    """The row of the nearest class above `kind`; whatever is no TrackerError is our fault."""
    return next((TABLE[cls] for cls in kind.__mro__ if cls in TABLE), OUR_FAULT)


def close_code(error: BaseException) -> int:
    """With what a socket is closed because of `error`."""
    return problem_of(type(error)).close_code


def problem_type(code: str) -> str:
    return f"/problems/{code}"


def details(error: errors.TrackerError) -> ProblemDetails:
    """What may be told of an error of ours: never the cause, and nothing at all where it is our own fault."""
    problem = problem_of(type(error))
    detail = "" if problem is OUR_FAULT or isinstance(error, errors.InvalidFields) else str(error)
    if isinstance(error, errors.InvalidFields) and error.more:
        detail = (
            f"`errors` names the first {len(error.errors)} wrong fields, and there are {error.more} more."
        )
    return ProblemDetails(
        problem_type(problem.code),
        problem.title,
        problem.status,
        detail or problem.meaning,
        *_extensions(error),
    )


def _extensions(error: errors.TrackerError) -> tuple[Any, Any]:
    match error:
        case errors.InvalidFields():
            return [WireFieldError(*field_error) for field_error in error.errors], msgspec.UNSET
        case errors.ForbiddenTransition():
            return msgspec.UNSET, list(error.allowed)
        case _:
            return msgspec.UNSET, msgspec.UNSET


def register_errors(app: Quart) -> None:
    """From here on every failure of `app` is answered with a problem."""
    app.register_blueprint(blueprint)
    app.register_error_handler(errors.TrackerError, cast("Any", _tracker_error_response))
    app.register_error_handler(HTTPException, cast("Any", _http_error_response))
    app.register_error_handler(Exception, _unexpected_error_response)


async def _tracker_error_response(error: errors.TrackerError) -> Response:
    problem = details(error)
    if problem.status >= 500:
        _log.error("request_failed", problem=problem.type, exc_info=error)
    response = _response(problem)
    if isinstance(error, errors.RateLimited) and error.after_s is not None:
        response.headers["Retry-After"] = str(ceil(error.after_s))
    return response


async def _http_error_response(error: HTTPException) -> Response:
    """What the framework refuses by itself: unknown paths, methods, hosts."""
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
    response = Response(msgspec.json.encode(problem), status=problem.status, content_type=PROBLEM_JSON)
    response.headers["Cache-Control"] = "no-store"
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="tracker"'
    if problem.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        response.headers["Retry-After"] = RETRY_AFTER
    return response


@blueprint.get("/problems")
@blueprint.get("/problems/<code>")
async def describe_problems(code: str | None = None) -> Response:
    """What the `type` of each problem means, as plain text; an unknown word shows them all."""
    rows = {problem.code: problem for problem in TABLE.values()}
    selected = [rows[code]] if code in rows else list(rows.values())
    text = "\n\n".join(
        f"{problem.code} ({problem.status}): {problem.title}\n{problem.meaning}" for problem in selected
    )
    return Response(text + "\n", content_type="text/plain; charset=utf-8")
