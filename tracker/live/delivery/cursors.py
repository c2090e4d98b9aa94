"""Cursors: how a client that reconnects says which revision of an order it knows.

A cursor is `<tag>-<revision>`. The tag belongs to one channel of one process, and is signed.
"""

import hmac
from secrets import token_hex
from typing import Final

NONCE: Final = 6  # random characters in a tag
SIGNATURE: Final = 12  # characters of a tag that prove that this service issued it for this order
REVISION_DIGITS: Final = 15


class CursorTags:
    """Creates and verifies tags with *key*. A tag of another order, or a forged one, is not verified."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def create(self, order_id: str) -> str:
        """Return a new tag for a channel of the order."""
        return self._sign(order_id, token_hex(NONCE // 2))

    def issued(self, order_id: str, cursor: str) -> bool:
        """Whether this service issued the cursor for this order, even before a restart."""
        tag = cursor.partition("-")[0]
        signed = self._sign(order_id, tag[:NONCE])
        return hmac.compare_digest(tag.encode("utf-8", "replace"), signed.encode("utf-8", "replace"))

    def _sign(self, order_id: str, nonce: str) -> str:
        signed = hmac.digest(self._key, f"{order_id} {nonce}".encode("utf-8", "replace"), "sha256")
        return nonce + signed.hex()[:SIGNATURE]


def format_cursor(tag: str, revision: int) -> str:
    return f"{tag}-{revision}"


def revision_of(cursor: str, tag: str, newest: int) -> int | None:
    """Return a cursor's revision, or None if the channel with *tag* has not issued the cursor."""
    sent, _, digits = cursor.partition("-")
    if sent != tag or not (digits.isascii() and digits.isdecimal()) or len(digits) > REVISION_DIGITS:
        return None
    revision = int(digits)
    return revision if revision <= newest else None
