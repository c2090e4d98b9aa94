"""Streamed responses with a whole track, encoded and compressed while it is read."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from itertools import batched
from typing import Final

from quart import Response

from tracker.api.answers.track_export import FORMATS, GeoJsonWriter, Writer, number_segments, simplify_chunks
from tracker.api.compression import accepts_gzip
from tracker.database import Reads
from tracker.database.fixes import StoredFix, Window, is_track_broken, track_fixes
from tracker.domain.order import Driver, Order
from tracker.domain.tracks.segments import GAP

FIXES_PER_CHUNK: Final = 500  # encoding them blocks the event loop for some 7 ms


async def stream_track(
    queries: Reads,
    subject: Order | Driver,
    windows: Sequence[Window],
    form: str,
    *,
    rejected: bool,
    simplify: float = 0.0,
) -> Response:
    """Return a response that streams the track of an order or a driver; *simplify* is in metres."""
    chunks = number_segments(track_fixes(queries, windows, include_rejected=rejected))
    if simplify:
        chunks = simplify_chunks(chunks, simplify)
    nothing: list[StoredFix] = []
    first = await anext(chunks, nothing)  # raise errors before the response begins
    format_ = FORMATS[form]
    encoded = _encode(format_.writer(subject, rejected), first, chunks, queries, windows)
    response = Response(_gzipped(encoded) if accepts_gzip() else encoded, content_type=format_.media_type)
    if accepts_gzip():
        response.headers["Content-Encoding"] = "gzip"
    return response


async def _encode(
    writer: Writer,
    first: list[StoredFix],
    chunks: AsyncIterator[list[StoredFix]],
    queries: Reads,
    windows: Sequence[Window],
) -> AsyncIterator[bytes]:
    yield writer.begin()
    if isinstance(writer, GeoJsonWriter):  # after the first bytes, since this reads the whole track
        yield writer.begin_lines(broken=await is_track_broken(queries, windows, GAP))
    yield writer.write(first)
    async for chunk in chunks:
        for piece in batched(chunk, FIXES_PER_CHUNK):
            yield writer.write(piece)
            await asyncio.sleep(0)
    yield writer.end()


async def _gzipped(encoded: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Compress a stream and flush each chunk, so that the response begins with the first one."""
    packer = zlib.compressobj(level=5, wbits=31)
    async for piece in encoded:
        yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
