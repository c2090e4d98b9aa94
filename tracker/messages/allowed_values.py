"""Allowed values of a type in plain English, such as "must be a number from -90 to 90".

msgspec's own messages name Python types. What is allowed follows from the type alone, so the message of a
validation error gives only the path to the wrong value.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import inspect

TIME: Final = "a time in RFC 3339 with an offset, such as 2026-11-22T16:43:00Z"
OR_NULL: Final = ", or null"
INT64: Final = 2**63 - 1  # a bound of the format, not of the meaning
PHRASE: Final = (
    "phrase"  # key of `Meta(extra=…)`: the phrase after "must be", for types that need one of their own
)

_STEP: Final = re.compile(r"\.([^.\[]+)|\[[^\]]*\]")
_FIELD: Final = re.compile(r"field `(.*)`", re.DOTALL)


def path_and_detail(error: msgspec.ValidationError, type_: Any) -> tuple[str, str]:
    """Return the path of a wrong value in a *type_*, such as `stops[0].kind`, and what is allowed there."""
    message, _, where = str(error).rpartition(" - at `")
    path = where.rstrip("`").removeprefix("$") if message else ""
    message = message or str(error)
    _remember_order(type_)
    found = _types_at(path, _type_info(type_))
    return path.lstrip("."), _missing_or_unknown(message, found) or f"must be {_either(found)}"


def _type_info(type_: Any) -> inspect.Type:
    """Return msgspec's description of a type, cached: it takes 1 ms, which invalid requests could exploit."""
    try:
        return _cached_type_info(type_)
    except TypeError:  # some annotations have no hash
        return inspect.type_info(type_)


@cache
def _cached_type_info(type_: Any) -> inspect.Type:
    return inspect.type_info(type_)


def known_fields(names: Sequence[str]) -> str:
    """Return the error of a field that is none of *names*."""
    return f"unknown field; known are {', '.join(names)}"


def _missing_or_unknown(message: str, found: list[inspect.Type]) -> str | None:
    name = _FIELD.search(message)
    if name is None:
        return None
    if message.startswith("Object missing required"):
        return f"`{name[1]}` is required"
    if message.startswith("Object contains unknown"):
        structs = [
            type_ for one in found for type_ in _unwrapped(one) if isinstance(type_, inspect.StructType)
        ]
        return known_fields([field.encode_name for struct in structs for field in struct.fields])
    return None


# --- which types are possible at a path


def _types_at(path: str, type_: inspect.Type) -> list[inspect.Type]:
    """Return the types that are possible at a path, or at the longest known part of it."""
    found = list(_choices(type_))
    for step in _STEP.finditer(path):
        below = [
            choice for one in found for inner in _inner_types(one, step[1]) for choice in _choices(inner)
        ]
        if not below:
            break
        found = below
    return found


def _choices(type_: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(type_, inspect.UnionType):
        for choice in type_.types:
            yield from _choices(choice)
    elif isinstance(type_, inspect.Metadata) and PHRASE not in (type_.extra or {}):
        yield from _choices(type_.type)
    else:
        yield type_


def _unwrapped(type_: inspect.Type) -> Iterator[inspect.Type]:
    """Return the choices of a type, also of one with a phrase of its own."""
    return _choices(type_.type if isinstance(type_, inspect.Metadata) else type_)


def _inner_types(type_: inspect.Type, name: str | None) -> Iterator[inspect.Type]:
    match type_:
        case inspect.Metadata():
            for choice in _unwrapped(type_):
                yield from _inner_types(choice, name)
        case inspect.StructType():
            if name is not None and name == type_.tag_field:
                yield inspect.LiteralType((str(type_.tag),))
            yield from (field.type for field in type_.fields if field.encode_name == name)
        case inspect.ListType() | inspect.VarTupleType() if name is None:
            yield type_.item_type
        case inspect.DictType() if name is None:
            yield type_.value_type


# --- their phrases


def _either(types: list[inspect.Type]) -> str:
    """Join the phrases of types; the values of several enumerations become one list."""
    literals = [value for type_ in types if isinstance(type_, inspect.LiteralType) for value in type_.values]
    tags = [type_.tag for type_ in types if isinstance(type_, inspect.StructType) and type_.tag is not None]
    if len(tags) > 1:
        return f"{{…}} with a `type` that is {_one_of(tags)}"
    phrases = [_phrase(type_) for type_ in types if not isinstance(type_, inspect.LiteralType)]
    if literals:
        phrases.insert(0, _one_of(literals))
    some = " or ".join(phrase for phrase in dict.fromkeys(phrases) if phrase != "null")
    return f"{some}{OR_NULL}" if some and "null" in phrases else some or "null"


def _one_of(values: Sequence[Any]) -> str:
    unique = [str(value) for value in _DECLARED_ORDER.get(frozenset(values), dict.fromkeys(values))]
    return f"one of {', '.join(unique)}" if len(unique) > 1 else f'"{unique[0]}"'


_DECLARED_ORDER: Final[
    dict[frozenset[Any], tuple[Any, ...]]
] = {}  # literals in the sequence of their declaration, since `inspect` sorts them


def _remember_order(type_: Any) -> None:
    if get_origin(type_) is Literal:
        _DECLARED_ORDER.setdefault(frozenset(get_args(type_)), get_args(type_))
    elif isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        _remember_struct_order(type_)
    else:
        for inner in get_args(type_):
            _remember_order(inner)


@cache
def _remember_struct_order(struct: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(struct):
        _remember_order(field.type)


def _phrase(type_: inspect.Type) -> str:
    match type_:
        case inspect.Metadata():
            phrase = str((type_.extra or {}).get(PHRASE) or _phrase(type_.type))
        case inspect.UnionType():
            phrase = _either(list(_choices(type_)))
        case inspect.LiteralType():
            phrase = _one_of(type_.values)
        case inspect.EnumType():
            phrase = _one_of([member.value for member in type_.cls])
        case inspect.IntType():
            phrase = "a whole number" + ("" if type_.le == INT64 else _bounds(type_.ge, type_.le))
        case inspect.FloatType():
            phrase = "a number" + _bounds(type_.ge, type_.le)
        case inspect.StrType():
            phrase = "text" + _length(type_.min_length, type_.max_length, "characters")
        case inspect.ListType() | inspect.VarTupleType():
            phrase = "a list" + _length(type_.min_length, type_.max_length, "items")
        case inspect.StructType():
            phrase = "{…} with the fields " + ", ".join(field.encode_name for field in type_.fields)
        case _:
            phrase = _PHRASES.get(type(type_), "another value")
    return phrase


_PHRASES: Final[dict[type[inspect.Type], str]] = {
    inspect.BoolType: "true or false",
    inspect.DateTimeType: TIME,
    inspect.DictType: "{…} with names and values",
    inspect.NoneType: "null",
}


def _bounds(least: float | None, most: float | None) -> str:
    match least, most:
        case None, None:
            return ""
        case None, _:
            return f" of at most {most}"
        case _, None:
            return f" of at least {least}"
        case _:
            return f" from {least} to {most}"


def _length(least: int | None, most: int | None, unit: str) -> str:
    match least, most:
        case None, None:
            return ""
        case None, _:
            return f" of at most {most} {unit}"
        case _, None:
            return f" of at least {least} {unit}"
        case _:
            return f" of {least} to {most} {unit}"
