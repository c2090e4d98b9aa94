"""What comes in and goes out: JSON bodies, query strings, pages of lists. Every wrong value is named."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Final, TypeGuard, Union, get_args, get_origin

import msgspec
from quart import Response, g, request
from werkzeug.exceptions import RequestTimeout

from tracker.errors import FieldError, InvalidFields, TooLarge, Unparsable

BODY_BYTES: Final = 1_048_576
DISCARDED_BYTES: Final = 33_554_432  # of a body that is too large anyway
BODY_TIMEOUT: Final = 30.0  # seconds for the whole of it
REQUEST_TIMEOUT: Final = 408
CONTENT_TOO_LARGE: Final = 413
REST_WITHIN: Final = 5.0  # seconds for what a client still writes when its answer is there
DEPTH: Final = 32  # levels of JSON; none of our bodies needs ten
NUL: Final = "Must not contain the character U+0000."
YEARS: Final = range(2000, 9999)  # a time outside of them is a mistake, and would not fit into UTC


async def raw_body() -> bytes:
    """The request's body, read once. Raises TooLarge as soon as it is known to be more than BODY_BYTES."""
    if "raw_body" not in g:
        g.raw_body = await _read()
    data: bytes = g.raw_body
    return data


async def _read() -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for piece in request.body:  # awaiting it whole would buffer without a limit
                data += piece
                if len(data) > BODY_BYTES:
                    await _discard_rest()
                    raise TooLarge(BODY_BYTES)
    except TimeoutError:
        raise RequestTimeout from None
    return bytes(data)


async def _discard_rest() -> None:
    """Closing on a client that still writes would reset it before it sees the answer."""
    discarded = 0
    async for piece in request.body:
        discarded += len(piece)
        if discarded > DISCARDED_BYTES:
            return


async def after_the_body(response: Response) -> Response:
    """Holds an answer back until its request is there: else the client may see a reset and no answer."""
    if response.status_code not in {REQUEST_TIMEOUT, CONTENT_TOO_LARGE}:  # those know what was left
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_WITHIN):
                await _discard_rest()
    return response


async def body[T](type_: type[T], *, optional: bool = False) -> T:
    """The body as a `type_`; with `optional` an empty one counts as `{}`.

    Raises Unparsable where it is not JSON, InvalidFields with every wrong or unknown field, TooLarge.
    """
    data = await raw_body()
    value = {} if optional and not data else parse(data, type_)
    return checked(value, type_)


def parse(data: bytes, type_: type = object) -> Any:
    """Any JSON value; raises Unparsable, or InvalidFields for numbers that no field can hold."""
    try:
        return msgspec.json.decode(data)
    except msgspec.ValidationError as error:  # well formed, but out of range: the typed decoder knows where
        raise InvalidFields([_where_out_of_range(data, type_) or _field_error(str(error), "")]) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Unparsable("The body is not JSON in UTF-8, or is nested too deeply.") from None


def _where_out_of_range(data: bytes, type_: type) -> FieldError | None:
    try:
        msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        return _field_error(str(error), "")
    except (msgspec.DecodeError, RecursionError):
        return None
    return None


def checked[T](value: Any, type_: type[T], *, strict: bool = True) -> T:
    """`value` (parsed JSON) as a `type_`; raises InvalidFields with all that is wrong, not only the first."""
    wrong = list(_unfit_for_storage(value))
    try:
        converted = msgspec.convert(value, type_, strict=strict)
    except msgspec.ValidationError as error:
        found = list(_wrong_fields(value, type_, "", strict=strict))
        raise InvalidFields(wrong + (found or [_field_error(str(error), "")])) from None
    wrong += _wrong_times(converted, "")
    if wrong:
        raise InvalidFields(wrong)
    return converted


def _wrong_fields(value: Any, type_: Any, path: str, *, strict: bool) -> Iterator[FieldError]:
    """msgspec stops at the first wrong value, so each field is converted by itself."""
    struct = _struct_in(type_)
    if struct is None or not isinstance(value, dict):
        yield from _wrong_value(value, type_, path, strict=strict)
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name in value:
        if name not in fields:
            yield FieldError(_join(path, name), "There is no such field.")
    for name, field in fields.items():
        if name in value:
            yield from _wrong_fields(value[name], field.type, _join(path, name), strict=strict)
        elif field.required:
            yield FieldError(_join(path, name), "Is required.")


def _wrong_value(value: Any, type_: Any, path: str, *, strict: bool) -> Iterator[FieldError]:
    try:
        msgspec.convert(value, type_, strict=strict)
    except msgspec.ValidationError as error:
        yield _field_error(str(error), path)


def _struct_in(type_: Any) -> type[msgspec.Struct] | None:
    """The Struct that `type_` is, or that it is apart from None and UNSET; else None."""
    choices = get_args(type_) if get_origin(type_) in (Union, UnionType) else (type_,)
    meant = [choice for choice in choices if choice not in (NoneType, msgspec.UnsetType)]
    return meant[0] if len(meant) == 1 and _is_struct(meant[0]) else None


def _is_struct(type_: Any) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


def _field_error(message: str, path: str) -> FieldError:
    """``Expected `float` <= 90.0 - at `$.lat` `` -> the path below `path`, and the words before it."""
    words, _, where = message.partition(" - at `")
    inside = where.rstrip("`").removeprefix("$")
    return FieldError((path + inside).lstrip("."), f"{words.replace('`', '')}.")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _unfit_for_storage(value: Any) -> Iterator[FieldError]:
    """NUL is JSON but no text for PostgreSQL. Raises Unparsable where nested deeper than DEPTH."""
    level = [("", value)]
    for _ in range(DEPTH):
        yield from (
            FieldError(path, NUL) for path, inner in level if isinstance(inner, str) and "\0" in inner
        )
        level = [pair for path, inner in level for pair in _inside(inner, path)]
        if not level:
            return
    raise Unparsable(f"The body is nested more than {DEPTH} levels deep.")


def _inside(value: Any, path: str) -> list[tuple[str, Any]]:
    """What a JSON value holds, each with its path; an object's names count as values too."""
    if isinstance(value, dict):
        return [(path, name) for name in value] + [(_join(path, name), value[name]) for name in value]
    if isinstance(value, list):
        return [(f"{path}[{index}]", inner) for index, inner in enumerate(value)]
    return []


def _wrong_times(value: Any, path: str) -> Iterator[FieldError]:
    if isinstance(value, datetime) and value.year not in YEARS:
        yield FieldError(path, f"Must lie in the years {YEARS.start} to {YEARS.stop - 1}.")
    elif isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(type(value)):
            yield from _wrong_times(getattr(value, field.name), _join(path, field.encode_name))


def query[T](type_: type[T]) -> T:
    """The query string as a `type_`; raises InvalidFields, also for a name that is unknown or comes twice."""
    given = request.args.to_dict(flat=False)
    twice = [
        FieldError(name, "Is given more than once.") for name, values in given.items() if len(values) > 1
    ]
    if twice:
        raise InvalidFields(twice)
    return checked({name: values[0] for name, values in given.items()}, type_, strict=False)


def answer(value: Any, status: int = 200) -> Response:
    """`value` as JSON."""
    return Response(msgspec.json.encode(value), status=status, content_type="application/json")
