"""Field errors: every wrong value of a JSON body, by name, in time and memory linear in the body's size.

msgspec stops at the first wrong value. So each field of an invalid body is decoded by itself, from its own
bytes. Unknown fields are skipped and never become Python objects, which take up to 30 times the memory.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeGuard, Union, get_args, get_origin

import msgspec

from tracker.errors import FieldError
from tracker.messages.allowed_values import OR_NULL, known_fields, path_and_detail

DEPTH: Final = 32  # levels of JSON; no valid body has ten
NUL: Final = "must not contain the character U+0000"
YEARS: Final = range(2000, 9999)  # other times are mistakes and may overflow in UTC
NAME_LENGTH: Final = 100  # characters of an unknown field's name in an error

_STRING: Final = re.compile(rb'"[^"]*"')
_AS_LISTS: Final = bytes.maketrans(b"{}", b"[]")
_NEITHER_BRACKETS_NOR_QUOTES: Final = bytes(set(range(256)) - set(b'[]{}"'))


def is_well_formed(data: bytes) -> bool:
    """Return whether this is JSON of at most `DEPTH` levels, without building objects."""
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    unescaped = data.replace(rb"\\", b"").replace(rb"\"", b"")
    outline = unescaped.translate(_AS_LISTS, _NEITHER_BRACKETS_NOR_QUOTES).replace(b'""', b"")
    brackets = _STRING.sub(b"", outline)
    for _ in range(DEPTH):  # each pass removes the innermost level
        brackets = brackets.replace(b"[]", b"")
    return not brackets


def json_errors(data: bytes | msgspec.Raw, type_: Any) -> Iterator[FieldError]:
    """Yield the errors of a well-formed body of this type."""
    struct = _struct_in(type_)
    try:
        if struct is None:
            msgspec.json.decode(data, type=type_)
            return
        values = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        yield FieldError(*path_and_detail(error, type_))
        return
    yield from _struct_errors(values, struct, json_errors)


def query_errors(values: Mapping[str, str], struct: type[msgspec.Struct]) -> Iterator[FieldError]:
    """Return the errors of a query string."""
    return _struct_errors(values, struct, _text_errors)


def _text_errors(value: str, type_: Any) -> Iterator[FieldError]:
    try:
        msgspec.convert(value, type_, strict=False)
    except msgspec.ValidationError as error:
        path, detail = path_and_detail(error, type_)
        yield FieldError(path, detail.removesuffix(OR_NULL))


def _struct_errors(
    values: Mapping[str, Any],
    struct: type[msgspec.Struct],
    value_errors: Callable[[Any, Any], Iterator[FieldError]],
) -> Iterator[FieldError]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    unknown = known_fields(list(fields))
    for name in values if struct.__struct_config__.forbid_unknown_fields else ():
        if name not in fields:
            yield FieldError(_shortened(name, NAME_LENGTH), unknown)
    for name, field in fields.items():
        if name in values:
            yield from _with_prefix(name, value_errors(values[name], field.type))
        elif field.required:
            yield FieldError(name, "is required")


def unstorable_values(value: Any) -> Iterator[FieldError]:
    """Yield the values that the database cannot store: U+0000, and times outside `YEARS`."""
    match value:
        case str() if "\0" in value:
            yield FieldError("", NUL)
        case datetime() if value.year not in YEARS:
            yield FieldError("", f"must be in the years {YEARS.start} to {YEARS.stop - 1}")
        case msgspec.Struct():
            for field in msgspec.structs.fields(type(value)):
                yield from _with_prefix(field.encode_name, unstorable_values(getattr(value, field.name)))
        case dict():
            for name, inner in value.items():
                yield from _with_prefix(
                    _shortened(str(name), NAME_LENGTH), (*unstorable_values(name), *unstorable_values(inner))
                )
        case list() | tuple():
            for index, inner in enumerate(value):
                yield from _with_prefix(f"[{index}]", unstorable_values(inner))


def _with_prefix(name: str, errors: Iterator[FieldError] | tuple[FieldError, ...]) -> Iterator[FieldError]:
    """Prefix the paths of errors with a field's name or an index."""
    for field, detail in errors:
        yield FieldError(f"{name}.{field}" if field and not field.startswith("[") else name + field, detail)


def _struct_in(type_: Any) -> type[msgspec.Struct] | None:
    """Return the only Struct in *type_*, apart from None and UNSET, or None."""
    if get_origin(type_) is Annotated:
        return _struct_in(get_args(type_)[0])
    choices = get_args(type_) if get_origin(type_) in (Union, UnionType) else (type_,)
    meant = [choice for choice in choices if choice not in (NoneType, msgspec.UnsetType)]
    return meant[0] if len(meant) == 1 and _is_struct(meant[0]) else None


def _is_struct(type_: Any) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"
