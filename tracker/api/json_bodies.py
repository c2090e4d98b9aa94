"""JSON bodies, query strings and responses. Errors name every wrong value."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec
from quart import Quart, Response, g, request
from werkzeug.exceptions import RequestTimeout

from tracker.api.field_errors import is_well_formed, json_errors, query_errors, unstorable_values
from tracker.api.request_body import BoundedBody, bound_bodies, incoming_body
from tracker.errors import FieldError, InvalidFields, TooLarge, Unparsable

BODY_BYTES: Final = 16_384  # limit of a body, unless its type has `body_bytes`
BODY_TIMEOUT: Final = 30.0  # seconds for the whole body
REQUEST_TIMEOUT: Final = 408
REMAINDER_TIMEOUT: Final = 5.0  # seconds for the rest of a request whose response is ready
QUERY_FIELDS: Final = 50  # limit of one query string

ShortText = Annotated[str, msgspec.Meta(max_length=200)]
LongText = Annotated[str, msgspec.Meta(max_length=500)]
Id = Annotated[str, msgspec.Meta(max_length=100)]


class RequestBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request body without unknown fields."""


def apply_changes[T: msgspec.Struct](value: T, change: msgspec.Struct | msgspec.UnsetType) -> T:
    """Return *value* with the fields that *change* sets."""
    if change is msgspec.UNSET:
        return value
    values = {name: new for name, new in msgspec.structs.asdict(change).items() if new is not msgspec.UNSET}
    return msgspec.structs.replace(value, **values)


def register_bodies(app: Quart) -> None:
    """Bound the bodies of all requests to *app*, and read the rest of each before its response."""
    bound_bodies(app)
    app.after_request(await_request_end)


def max_body_bytes(type_: Any) -> int:
    """Return how many bytes a JSON body of this type may have."""
    limit: int = getattr(type_, "body_bytes", BODY_BYTES)
    return limit


async def raw_body(limit: int = BODY_BYTES, within_s: float | None = None) -> bytes:
    """Return the request's body, read once. Raises TooLarge once it exceeds *limit* bytes, RequestTimeout.

    It must arrive within *within_s* seconds, by default BODY_TIMEOUT.
    """
    if "raw_body" not in g:
        if (request.content_length or 0) > limit:
            raise TooLarge(limit)
        incoming = incoming_body()
        if incoming.is_complete:  # most are, and a timer takes longer than they do
            g.raw_body = await incoming.whole(limit)
        else:
            g.raw_body = await _awaited_body(incoming, limit, within_s or BODY_TIMEOUT)
    data: bytes = g.raw_body
    return data


async def _awaited_body(incoming: BoundedBody, limit: int, within_s: float) -> bytes:
    try:
        async with asyncio.timeout(within_s):
            return await incoming.whole(limit)
    except TimeoutError:
        raise RequestTimeout from None


async def await_request_end(response: Response) -> Response:
    """Delay a response until its request is read; else the client may see a reset in place of it."""
    incoming = incoming_body()
    if not incoming.is_complete and response.status_code != REQUEST_TIMEOUT:  # a timeout has waited already
        with suppress(TimeoutError):
            async with asyncio.timeout(REMAINDER_TIMEOUT):
                await incoming.discard()
    return response


async def body[T](type_: type[T], *, optional: bool = False) -> T:
    """Return the body as a *type_*; if it is *optional*, an empty body counts as `{}`.

    Raises Unparsable, InvalidFields with every wrong or unknown field, TooLarge.
    """
    data = await raw_body(max_body_bytes(type_))
    return parse(b"{}" if optional and not data else data, type_)


def parse[T](data: bytes, type_: type[T]) -> T:
    """Decode JSON as a *type_* in time and memory linear in its length. Raises Unparsable, InvalidFields."""
    try:
        value = msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError:
        if is_well_formed(data):
            raise InvalidFields(json_errors(data, type_)) from None
        raise _unparsable() from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise _unparsable() from None
    return _check_storable(value)


def _unparsable() -> Unparsable:
    return Unparsable("The body is not JSON in UTF-8, or is nested too deeply.")


def _check_storable[T](value: T) -> T:
    if wrong := list(unstorable_values(value)):
        raise InvalidFields(wrong)
    return value


def query[T: msgspec.Struct](type_: type[T]) -> T:
    """Return the query string as a *type_*. Raises InvalidFields, also for unknown or duplicate names."""
    if request.query_string.count(b"&") >= QUERY_FIELDS:
        raise InvalidFields([FieldError("", f"a query string may have at most {QUERY_FIELDS} fields")])
    fields = request.args.to_dict(flat=False)
    duplicates = [
        FieldError(name, "is given more than once") for name, values in fields.items() if len(values) > 1
    ]
    if duplicates:
        raise InvalidFields(duplicates)
    values = {name: values[0] for name, values in fields.items()}
    try:
        return _check_storable(msgspec.convert(values, type_, strict=False))
    except msgspec.ValidationError:
        raise InvalidFields(query_errors(values, type_)) from None


def answer(value: Any, status: int = 200) -> Response:
    """Return a response with *value* as JSON."""
    return Response(msgspec.json.encode(value), status=status, content_type="application/json")
