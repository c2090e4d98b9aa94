"""Tracks in segments and with fewer fixes, chunk by chunk, so that a long one begins before it is read."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

import msgspec

from tracker.database import Queries
from tracker.database.fixes import StoredFix, Window, track_page
from tracker.domain.tracks.segments import SegmentCounter
from tracker.domain.tracks.simplify import kept_places

RAW_PAGE: Final = 5_000  # fixes that are read for one simplified page


async def segmented(chunks: AsyncIterator[list[StoredFix]]) -> AsyncIterator[list[StoredFix]]:
    """Each chunk with the segment of each fix: found before anything is left out of the track."""
    counter = SegmentCounter()
    async for chunk in chunks:
        yield list(_numbered(chunk, counter))


async def simplified(chunks: AsyncIterator[list[StoredFix]], metres: float) -> AsyncIterator[list[StoredFix]]:
    """Each chunk without the fixes that a line within `metres` can do without, segment by segment.

    Doubted fixes all stay. Expects the chunks of `segmented`.
    """
    anchor: StoredFix | None = None
    async for chunk in chunks:
        kept = _kept(anchor, chunk, metres)
        anchor = next((stored for stored in reversed(chunk) if stored.reason is None), anchor)
        yield kept


async def page_of(
    queries: Queries,
    windows: Sequence[Window],
    *,
    after: datetime | None,
    limit: int,
    rejected: bool,
    metres: float,
) -> tuple[list[StoredFix], bool]:
    """At most `limit` fixes later than `after`, and whether more follow.

    Simplified where `metres` is above 0, each page by itself: the first and last fix of a page always stay.
    """
    raw = limit + 1 if metres <= 0 else RAW_PAGE
    chunk = await track_page(queries, windows, after=after, limit=raw, include_rejected=rejected)
    kept = chunk if metres <= 0 else _kept(None, list(_numbered(chunk, SegmentCounter())), metres)
    return kept[:limit], len(kept) > limit or len(chunk) == raw


def _kept(anchor: StoredFix | None, chunk: Sequence[StoredFix], metres: float) -> list[StoredFix]:
    """What stays of `chunk`, which goes on from `anchor`; its last believed fix is always among it."""
    line = [stored for stored in (anchor, *chunk) if stored is not None and stored.reason is None]
    kept: set[datetime] = set()
    for _, same in groupby(line, key=lambda stored: stored.segment):
        segment = list(same)
        places = kept_places([stored.fix.lonlat for stored in segment], metres)
        kept.update(segment[index].fix.recorded_at for index in places)
    return [stored for stored in chunk if stored.reason is not None or stored.fix.recorded_at in kept]


def _numbered(chunk: Iterable[StoredFix], counter: SegmentCounter) -> Iterator[StoredFix]:
    for stored in chunk:
        segment = counter.number if stored.reason is not None else counter.add(stored.fix, stored.driver)
        yield msgspec.structs.replace(stored, segment=segment) if segment else stored
