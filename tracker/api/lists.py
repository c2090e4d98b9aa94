"""Pages of lists: from the newest to the oldest, each beginning where the one before ended (keyset)."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec

from tracker.api.bodies import YEARS
from tracker.errors import FieldError, InvalidFields

PAGE: Final = 50  # rows, where `limit` is not given

Limit = Annotated[int, msgspec.Meta(ge=1, le=500, description="Rows of a page.")]


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every list takes."""

    limit: Limit = PAGE
    cursor: str | None = None  # `next` of the page before


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page: lists run from the newest to the oldest, ties by id."""

    microseconds: int  # since 1970: exact, unlike the milliseconds of the wire
    id: str

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.microseconds // 1_000_000, UTC).replace(
            microsecond=self.microseconds % 1_000_000
        )


def encode_cursor(at: datetime, id_: str = "") -> str:
    """Opaque to who gets it: the hexadecimal form of the row's key."""
    seconds = int(at.replace(microsecond=0).timestamp())
    return msgspec.json.encode(Cursor(seconds * 1_000_000 + at.microsecond, id_)).hex()


def decode_cursor(cursor: str | None) -> Cursor | None:
    """Raises InvalidFields for anything that `encode_cursor` did not write."""
    if cursor is None:
        return None
    try:
        found = msgspec.json.decode(bytes.fromhex(cursor), type=Cursor)
        if found.at.year in YEARS and "\0" not in found.id:
            return found
    except (ValueError, OverflowError, OSError):  # msgspec's errors are ValueErrors
        pass
    raise InvalidFields([FieldError("cursor", "Is not a cursor of this list.")])


class Page(msgspec.Struct, frozen=True):
    """A list's answer; `next` is None on the last page."""

    items: list[Any]
    next: str | None


def page[T](
    rows: Sequence[T], limit: int, wire: Callable[[T], Any], key: Callable[[T], tuple[datetime, str]]
) -> Page:
    """`rows` are one more than `limit` where there is a next page."""
    more = len(rows) > limit
    return Page([wire(row) for row in rows[:limit]], encode_cursor(*key(rows[limit - 1])) if more else None)
