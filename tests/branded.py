"""A brand for the time of a test: the service that tests share has none."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from tests.service import Service

DRAWING: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32">'
    '<circle cx="16" cy="16" r="15" fill="#b3261e"/><path d="M9 19h14l-2 5H11z" fill="#fff"/>'
    '<path d="M8 17a8 8 0 0 1 16 0z" fill="#ffe08a"/></svg>'
)
LOGO: Final = f"data:image/svg+xml;base64,{b64encode(DRAWING.encode()).decode()}"
BAKERY: Final = {
    "name": "Corner Bakery",
    "logo": LOGO,
    "colour": "#b3261e",
    "support_url": "https://bakery.example/help",
    "support_phone": "+358 9 1234567",
}


@asynccontextmanager
async def branded(service: Service, **brand: object) -> AsyncIterator[Any]:
    """Give the service this brand during the block. Yields what it answers."""
    try:
        answer = await service.http.put("/v1/brand", json=brand)
        assert answer.status_code == 200, answer.text
        yield answer.json()
    finally:
        assert (await service.http.put("/v1/brand", json={})).status_code == 200
