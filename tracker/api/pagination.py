"""Keyset pagination: lists from the newest row to the oldest, with an opaque cursor."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from tracker.api.field_errors import YEARS
from tracker.errors import FieldError, InvalidFields

PAGE: Final = 50  # rows; the default of `limit`

Limit = Annotated[int, msgspec.Meta(ge=1, le=500, description="Rows of a page.")]


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of every list."""

    limit: Limit = PAGE
    """Rows of a page."""
    cursor: str | None = None
    """`next` of the previous page."""


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    microseconds: int  # since 1970; wire times have milliseconds only
    id: str

    @property
    def key(self) -> tuple[datetime, str]:
        return _EPOCH + timedelta(microseconds=self.microseconds), self.id


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def encode_cursor(at: datetime, id_: str = "") -> str:
    """Return the cursor of the last row of a page: its key as JSON, in hexadecimal."""
    return msgspec.json.encode(_Cursor((at - _EPOCH) // timedelta(microseconds=1), id_)).hex()


def decode_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """Return the key of the row before the page. Raises InvalidFields for a malformed cursor."""
    if cursor is None:
        return None
    try:
        key = msgspec.json.decode(bytes.fromhex(cursor), type=_Cursor).key
        if key[0].year in YEARS and "\0" not in key[1]:
            return key
    except (ValueError, OverflowError):  # msgspec's errors are ValueErrors
        pass
    raise invalid_cursor()


def invalid_cursor() -> InvalidFields:
    return InvalidFields(
        [FieldError("cursor", "not a cursor of this list; send `next` of the previous page")]
    )


class Page(msgspec.Struct, frozen=True):
    """One page of a list; `next` is None on the last page."""

    items: list[Any]
    next: str | None


def page[T](
    rows: Sequence[T], limit: int, wire: Callable[[T], Any], key: Callable[[T], tuple[datetime, str]]
) -> Page:
    """Return a page of *rows*, which hold one row more than *limit* if there is a next page."""
    more = len(rows) > limit
    return Page([wire(row) for row in rows[:limit]], encode_cursor(*key(rows[limit - 1])) if more else None)
