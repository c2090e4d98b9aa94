"""The brand's logo: read from a `data:` URL, checked, and encoded again."""

import asyncio
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Final, cast
from urllib.parse import unquote_to_bytes

from tracker.branding.svg import safe_svg
from tracker.domain.branding.brand import Logo, LogoType
from tracker.errors import FieldError, InvalidFields
from tracker.images import encode_png_again

MOST_BYTES: Final = 100_000  # of the picture itself
TYPES: Final = ("image/png", "image/svg+xml")
DATA_URL: Final = re.compile(r"data:([\w/+.-]*)((?:;[\w=-]+)*),(.*)", re.DOTALL | re.ASCII)
FIELD: Final = "logo"


async def logo_of(url: str) -> Logo:
    """Return the picture in a `data:` URL, made safe in a thread. Raises InvalidFields."""
    type_, content = _parts(url)
    if len(content) > MOST_BYTES:
        raise _refused(f"must have at most {MOST_BYTES:,} bytes; this picture has {len(content):,}")
    if type_ == "image/svg+xml":
        return Logo(type_, await asyncio.to_thread(safe_svg, content, FIELD))
    return Logo(type_, await asyncio.to_thread(encode_png_again, content, FIELD, MOST_BYTES))


def data_url(logo: Logo) -> str:
    """Return the logo as a `data:` URL."""
    return f"data:{logo.type};base64,{b64encode(logo.content).decode()}"


def _parts(url: str) -> tuple[LogoType, bytes]:
    """Return the type and the bytes in a `data:` URL (RFC 2397). Raises InvalidFields."""
    found = DATA_URL.fullmatch(url)
    if found is None or (type_ := found[1].lower()) not in TYPES:
        raise _refused("must be a data: URL with a PNG or SVG, such as data:image/png;base64,iVBORw0…")
    content = unquote_to_bytes(found[3])
    if ";base64" in found[2].lower():
        try:
            content = b64decode(b"".join(content.split()), validate=True)
        except Base64Error:
            raise _refused("must be a data: URL whose base64 is whole") from None
    return cast("LogoType", type_), content


def _refused(detail: str) -> InvalidFields:
    return InvalidFields([FieldError(FIELD, detail)])
