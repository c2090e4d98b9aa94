"""`POST /v1/qr`: a QR code for the board, which shows links and pairing codes to phones."""

from typing import Annotated

import msgspec
import segno
from quart import Blueprint, Response

from tracker.api.auth import require_scope
from tracker.api.describe import endpoint
from tracker.api.json_bodies import RequestBody, answer, body

QUIET_ZONE = 4  # light modules around the code, as ISO/IEC 18004 asks
SCALE = 8  # pixels of a module

blueprint = Blueprint("dispatch_qr", __name__)


class QrBody(RequestBody, frozen=True, kw_only=True):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    """What the code says, such as a tracking link."""


class QrAnswer(msgspec.Struct, frozen=True):
    image: str
    """The code as a `data:` URL of an SVG image, dark on white."""


@blueprint.post("/v1/qr")
@require_scope("read")
@endpoint(body=QrBody, answer=QrAnswer)
async def draw_qr() -> Response:
    """Draw a text as a QR code. It comes in the body, because URLs are logged and links are credentials."""
    code = segno.make_qr((await body(QrBody)).text, error="m")
    return answer(QrAnswer(code.svg_data_uri(scale=SCALE, border=QUIET_ZONE, light="#fff")))
