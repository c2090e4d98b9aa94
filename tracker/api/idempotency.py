"""Creating once: an `Idempotency-Key` gives the answer that was given before, or 409 to another body.

The claim of the key, what is created and the answer are one transaction. Who sends the same again meanwhile
waits for its end; if it fails, nothing was created and the key is free. Answers are deleted after 24 hours:
one of them may hold a driver's token, which nothing else in the database does.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
from quart import Response, g, request

from tracker.api.json_bodies import raw_body
from tracker.database import Connection
from tracker.database.api_keys import KeptAnswer, claim_idempotency_key, keep_answer
from tracker.errors import FieldError, IdempotencyMismatch, InvalidFields
from tracker.node import parts

HEADER = "Idempotency-Key"
KEY_LENGTH = 255  # characters


class Creation(NamedTuple):
    """What a creation answers, and what to do after its commit."""

    answer: Any
    status: int = 201
    after: Callable[[], Awaitable[None]] | None = None


async def create_once(create: Callable[[Connection], Awaitable[Creation]]) -> Response:
    """Runs `create` in a transaction, unless this request's key has an answer already.

    Raises IdempotencyMismatch where the key came with another request, InvalidFields for an impossible key.
    """
    key = _key()
    request_hash = b"" if key is None else await _request_hash()
    async with parts().database.transaction() as connection:
        if key is not None and (stored := await _claim(connection, key, request_hash)) is not None:
            return _response(stored.body, stored.status)
        creation = await create(connection)
        body = msgspec.json.encode(creation.answer)
        if key is not None:
            await keep_answer(connection, g.api_key.id, key, creation.status, body)
    if creation.after is not None:
        await creation.after()
    return _response(body, creation.status)


def _key() -> str | None:
    key = request.headers.get(HEADER)
    if key is not None and not (0 < len(key) <= KEY_LENGTH and key.isprintable()):
        raise InvalidFields([FieldError(HEADER, f"must have 1 to {KEY_LENGTH} printable characters")])
    return key


async def _request_hash() -> bytes:
    """Of method, path and JSON value: spaces and the sequence of the fields do not count."""
    data = await raw_body()  # which the endpoint has validated
    value = msgspec.json.encode(msgspec.json.decode(data), order="sorted") if data else b""
    return hashlib.sha256(f"{request.method} {request.path}\n".encode() + value).digest()


async def _claim(connection: Connection, key: str, request_hash: bytes) -> KeptAnswer | None:
    stored = await claim_idempotency_key(connection, g.api_key.id, key, request_hash, parts().now())
    if stored is not None and stored.request != request_hash:
        raise IdempotencyMismatch
    return stored


def _response(body: bytes, status: int) -> Response:
    return Response(body, status=status, content_type="application/json")
