"""The multipart form of a proof: its fields, and its image encoded again."""

import asyncio
import hashlib
import re
from io import BytesIO
from typing import IO, Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from quart import request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from tracker.api.describe import MULTIPART
from tracker.api.field_errors import query_errors, unstorable_values
from tracker.api.json_bodies import raw_body
from tracker.domain.order import StopKind
from tracker.domain.proof import WITH_IMAGE, ProofKind
from tracker.errors import FieldError, InvalidFields, TooLarge, Unparsable
from tracker.images import encode_again
from tracker.messages import AwareTime
from tracker.node import Node
from tracker.orders.proofs import NewProof

FILE_BYTES: Final = 10_485_760  # of an image as it comes
FORM_BYTES: Final = FILE_BYTES + 16_384  # with the other fields around it
UPLOAD_TIMEOUT: Final = 120.0  # seconds; 10 MB by a slow mobile network
PARTS: Final = 8
BUFFERED_BYTES: Final = 262_144  # of the parser, which takes 64 kB at a time, and of one text field
PIN: Final = re.compile(r"[0-9]{4}")

NOT_A_FORM: Final = "The body is not multipart/form-data; see docs/proof.md."


class ProofForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A proof as the driver's app sends it."""

    kind: ProofKind
    """What is given."""
    stop: StopKind
    """Where it is given."""
    file: bytes | UnsetType = UNSET
    """Image of a photo or signature: JPEG, PNG or WebP, at most 10 MB and 25 million pixels."""
    value: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    """Text of a barcode, or the four digits of a PIN."""
    at: AwareTime | UnsetType = UNSET
    """When it happened, by the device's clock. Default: now."""


class SentProof(msgspec.Struct, frozen=True):
    """A proof whose image is not decoded yet, and a hash by which a repeated request is known."""

    form: ProofForm
    request_hash: bytes


async def read_form() -> SentProof:
    """Read the form of the current request. Raises TooLarge, Unparsable, InvalidFields."""
    content_type, options = parse_options_header(request.headers.get("Content-Type"))
    boundary = options.get("boundary", "")
    if content_type != MULTIPART or not boundary.isascii() or not boundary:
        raise Unparsable(NOT_A_FORM)
    data = await raw_body(FORM_BYTES, UPLOAD_TIMEOUT)
    fields, files = await asyncio.to_thread(_parse, data, boundary.encode())
    image = files.get("file")
    return _checked(fields, files, None if image is None else image.stream.read())


def _in_memory(*_: object, **__: object) -> IO[bytes]:
    """Return where a file is written: never a temporary file on disk."""
    return BytesIO()


def _parse(data: bytes, boundary: bytes) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    parser = MultiPartParser(_in_memory, max_form_memory_size=BUFFERED_BYTES, max_form_parts=PARTS)
    try:
        return parser.parse(BytesIO(data), boundary, len(data))
    except RequestEntityTooLarge:
        raise Unparsable(f"The form has more than {PARTS} fields, or one that is too long.") from None
    except ValueError:
        raise Unparsable(NOT_A_FORM) from None


def _checked(
    fields: MultiDict[str, str], files: MultiDict[str, FileStorage], image: bytes | None
) -> SentProof:
    """Return the proof. Raises InvalidFields that names each wrong field, TooLarge."""
    both = [*fields.keys(), *files.keys()]
    names = [name for name, _ in (*fields.items(multi=True), *files.items(multi=True))]
    wrong = [FieldError(name, "is given more than once") for name in both if names.count(name) > 1]
    if "file" in fields:
        wrong.append(FieldError("file", "must be a file: its part needs a filename"))
    texts = {name: value for name, value in fields.items() if name != "file"}
    wrong += query_errors(texts | {name: "" for name in files if name != "file"}, ProofForm)
    if wrong:
        raise InvalidFields(wrong)
    if image is not None and len(image) > FILE_BYTES:
        raise TooLarge(FILE_BYTES)
    form = msgspec.convert(texts, ProofForm, strict=False)
    form = form if image is None else msgspec.structs.replace(form, file=image)
    if wrong := [*unstorable_values(form), *_kind_errors(form)]:
        raise InvalidFields(wrong)
    parts = [*sorted(texts.items()), hashlib.sha256(image or b"").hexdigest()]
    text = msgspec.json.encode([request.method, request.path, parts])
    return SentProof(form, hashlib.sha256(text).digest())


def _kind_errors(form: ProofForm) -> list[FieldError]:
    """Return what does not fit the kind of proof."""
    wanted, other = ("file", "value") if form.kind in WITH_IMAGE else ("value", "file")
    wrong = [FieldError(wanted, f"is required for a {form.kind}")] if getattr(form, wanted) is UNSET else []
    if getattr(form, other) is not UNSET:
        wrong.append(FieldError(other, f"is not allowed for a {form.kind}"))
    if form.kind == "pin" and form.stop == "pickup":
        wrong.append(FieldError("stop", "must be dropoff for a pin"))
    if form.kind == "pin" and form.value is not UNSET and not PIN.fullmatch(form.value):
        wrong.append(FieldError("value", "must be the four digits of a PIN"))
    return wrong


async def new_proof(node: Node, form: ProofForm) -> NewProof:
    """Return the proof with its image encoded again, one at a time on this node. Raises InvalidFields."""
    image = None
    if form.file is not UNSET:
        async with node.admission.images:
            image = await asyncio.to_thread(encode_again, form.file, "file")
    return NewProof(
        stop=form.stop,
        kind=form.kind,
        at=None if form.at is UNSET else form.at,
        value=None if form.value is UNSET else form.value,
        image=image,
    )
