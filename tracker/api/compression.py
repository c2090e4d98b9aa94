"""gzip for whole responses over 1 kB, if the client accepts it. Streams compress themselves."""

import asyncio
import zlib
from typing import Final

from quart import Response, request
from quart.wrappers.response import DataBody

MIN_BYTES: Final = 1_024  # smaller responses gain nothing
LEVEL: Final = 5
LARGE: Final = 65_536  # bytes; compressing more blocks the event loop for over a millisecond
TEXT_PREFIX: Final = "text/"
TEXT_SUFFIXES: Final = ("json", "xml")  # of the types of all other text


def accepts_gzip() -> bool:
    return request.accept_encodings.quality("gzip") > 0


def accepts_brotli() -> bool:
    return request.accept_encodings.quality("br") > 0


async def compress(response: Response) -> Response:
    """Compress a response if that is worthwhile and the client accepts it; say that it depends on that."""
    content = response.response
    if not isinstance(content, DataBody) or len(content.data) < MIN_BYTES or not _is_textual(response):
        return response
    if "Content-Encoding" in response.headers:
        return response
    response.vary.add("Accept-Encoding")
    if accepts_gzip():
        is_large = len(content.data) > LARGE
        data = await asyncio.to_thread(gzipped, content.data) if is_large else gzipped(content.data)
        response.set_data(data)
        response.headers["Content-Encoding"] = "gzip"
    return response


def gzipped(data: bytes) -> bytes:
    packer = zlib.compressobj(level=LEVEL, wbits=31)
    return packer.compress(data) + packer.flush()


def _is_textual(response: Response) -> bool:
    type_ = response.mimetype or ""
    return type_.startswith(TEXT_PREFIX) or type_.endswith(TEXT_SUFFIXES)
