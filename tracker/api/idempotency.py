"""Idempotent creation: a repeated `Idempotency-Key` returns the earlier response, or 409 for another body.

The claim of the key, the created rows and the response are one transaction. A concurrent retry waits for it;
if it fails, nothing was created and the key is free. Responses are deleted after 24 hours, since one may hold
a driver's token, which the database holds nowhere else. One that was erased with personal data is empty.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from quart import Response, g, request

from tracker.api.json_bodies import raw_body
from tracker.database import Connection
from tracker.database.credentials.api_keys import KeptAnswer, claim_idempotency_key, keep_answer
from tracker.errors import AnswerErased, FieldError, IdempotencyMismatch, InvalidFields
from tracker.node import current_node

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEY_LENGTH = 255  # characters


class Creation(NamedTuple):
    """The response of a creation, and the work to do after its commit."""

    answer: Any
    status: int = 201
    headers: Mapping[str, str] = {}
    after: Callable[[], Awaitable[None]] | None = None


async def create_once(
    create: Callable[[Connection], Awaitable[Creation]],
    *,
    owner: str | None = None,
    request_hash: bytes | None = None,
) -> Response:
    """Run *create* in a transaction, or return the response that is stored for this request's key.

    Keys belong to *owner*, by default the API key. *request_hash* is that of a body that is not JSON.

    Raises IdempotencyMismatch if the key came with another request, AnswerErased if the response is erased,
    InvalidFields for a malformed key.
    """
    key = _key()
    owner = owner or g.api_key.id
    request_hash = b"" if key is None else request_hash or await _request_hash()
    async with current_node().database.transaction() as connection:
        if key is not None and (stored := await _claim(connection, owner, key, request_hash)) is not None:
            _note_nothing_new()
            return _response(stored, {REPLAYED: "true"})
        creation = await create(connection)
        _note_created(creation)
        kept = KeptAnswer(
            request_hash, creation.status, creation.headers, msgspec.json.encode(creation.answer)
        )
        if key is not None:
            await keep_answer(connection, owner, key, kept)
    if creation.after is not None:
        await creation.after()
    return _response(kept)


def _note_nothing_new() -> None:
    """Keep a replay out of the audit."""
    if "audit_entry" in g:
        g.audit_entry.is_stored = True


def _note_created(creation: Creation) -> None:
    """Name what was created in the audit."""
    if "audit_entry" in g and "Location" in creation.headers:
        g.audit_entry.subjects.append(creation.headers["Location"].rpartition("/")[2])


async def claim_once(connection: Connection, owner: str, key: str, content: str, now: datetime) -> bool:
    """Claim the key of a message inside the caller's transaction; return False if it was used before.

    Raises IdempotencyMismatch if it came with other content, InvalidFields for a malformed key.
    """
    _check_key("key", key)
    hashed = _hash(f"message {key}")
    request_hash = hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()
    stored = await claim_idempotency_key(connection, owner, hashed, request_hash, now)
    if stored is None:
        await keep_answer(connection, owner, hashed, KeptAnswer(request_hash, 200, {}, b"null"))
    elif stored.body and stored.request != request_hash:
        raise IdempotencyMismatch
    return stored is None


def _key() -> str | None:
    """Return the hash of the request's key: clients may put personal data into a key."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    _check_key(HEADER, key)
    return _hash(key)


def _check_key(field: str, key: str) -> None:
    if not (0 < len(key) <= KEY_LENGTH and key.isprintable()):
        raise InvalidFields([FieldError(field, f"must have 1 to {KEY_LENGTH} printable characters")])


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


async def _request_hash() -> bytes:
    """Hash method, path and JSON value; white space and the order of fields do not matter."""
    data = await raw_body()  # which the endpoint has validated
    value = msgspec.json.encode(msgspec.json.decode(data), order="sorted") if data else b""
    return hashlib.sha256(f"{request.method} {request.path}\n".encode() + value).digest()


async def _claim(connection: Connection, owner: str, key: str, request_hash: bytes) -> KeptAnswer | None:
    stored = await claim_idempotency_key(connection, owner, key, request_hash, current_node().now())
    if stored is not None and not stored.body:
        raise AnswerErased
    if stored is not None and stored.request != request_hash:
        raise IdempotencyMismatch
    return stored


def _response(kept: KeptAnswer, headers: Mapping[str, str] = {}) -> Response:
    if kept.status == HTTPStatus.NO_CONTENT:
        return Response(status=kept.status, headers={**kept.headers, **headers})
    return Response(kept.body, kept.status, {**kept.headers, **headers}, content_type="application/json")
