"""The body of `/v1/brand`, with its limits."""

import re
from typing import Annotated, ClassVar, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from tracker.api.json_bodies import RequestBody
from tracker.branding.logo import data_url, logo_of
from tracker.domain.branding.brand import Brand, CustomerAct, Language
from tracker.errors import FieldError, InvalidFields
from tracker.messages.allowed_values import PHRASE

BODY_BYTES: Final = 500_000  # of a logo that is percent-encoded; base64 takes a third more than the picture
SUPPORT_URL: Final = re.compile(r"https?://[^\s/?#@\\]+([/?#]\S*)?", re.ASCII)

BrandName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=60,
        pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*(?![\s\S])",
        description="The shop's name, at most 60 characters.",
        examples=["Corner Bakery"],
        extra={PHRASE: "text of 1 to 60 characters that are not all spaces, without line breaks"},
    ),
]
LogoUrl = Annotated[
    str,
    Meta(
        max_length=BODY_BYTES,
        description="`data:` URL of a PNG or SVG of at most 100,000 bytes. It is encoded again: metadata, "
        "scripts, and references to other files are lost.",
        examples=["data:image/svg+xml,%3Csvg…%3C/svg%3E"],
    ),
]
Colour = Annotated[
    str,
    Meta(
        pattern=r"^#[0-9A-Fa-f]{6}(?![\s\S])",
        description="Colour of text, lines and buttons. Pages darken it, or in the dark theme lighten it, "
        "until its contrast is at least 4.5:1.",
        examples=["#b3261e"],
        extra={PHRASE: "a colour such as #1f6feb"},
    ),
]
SupportUrl = Annotated[
    str,
    Meta(
        max_length=500,
        description="Page for customers who need help; http or https.",
        examples=["https://shop.example/help"],
    ),
]
SupportPhone = Annotated[
    str,
    Meta(
        pattern=r"^\+?[(0-9][0-9 ()./-]{1,38}(?![\s\S])",
        description="Phone number for customers who need help.",
        examples=["+358 9 1234567"],
        extra={PHRASE: "a phone number, such as +358 9 1234567"},
    ),
]


class BrandBody(RequestBody, frozen=True, kw_only=True):
    """The whole brand."""

    body_bytes: ClassVar[int] = BODY_BYTES

    name: BrandName | None = None
    logo: LogoUrl | None = None
    colour: Colour | None = None
    support_url: SupportUrl | None = None
    support_phone: SupportPhone | None = None
    languages: Annotated[list[Language], Meta(max_length=8)] | None = None
    """Languages of the customers' pages; the first for readers of none of them. Null or empty: all."""
    customer_may: Annotated[list[CustomerAct], Meta(max_length=3)] | None = None
    """What customers may do on the page: `instruct` the courier, `move_pin`, `rate` the delivery."""


class BrandAnswer(msgspec.Struct, frozen=True):
    """The brand."""

    name: BrandName | None
    logo: LogoUrl | None
    colour: Colour | None
    support_url: SupportUrl | None
    support_phone: SupportPhone | None
    languages: list[Language]
    """Languages of the customers' pages, the first for readers of none of them; empty: all."""
    customer_may: list[CustomerAct]
    """What customers may do on the page."""


async def brand_of(wanted: BrandBody) -> Brand:
    """Return the brand that is wanted, with its logo made safe. Raises InvalidFields."""
    _check_support_url(wanted.support_url)
    return Brand(
        name=wanted.name and wanted.name.strip(),
        logo=None if wanted.logo is None else await logo_of(wanted.logo),
        colour=wanted.colour and wanted.colour.lower(),
        support_url=wanted.support_url,
        support_phone=wanted.support_phone,
        languages=tuple(dict.fromkeys(wanted.languages or ())),
        customer_may=tuple(dict.fromkeys(wanted.customer_may or ())),
    )


def brand_answer(brand: Brand) -> BrandAnswer:
    return BrandAnswer(
        brand.name,
        None if brand.logo is None else data_url(brand.logo),
        brand.colour,
        brand.support_url,
        brand.support_phone,
        list(brand.languages),
        list(brand.customer_may),
    )


def _check_support_url(url: str | None) -> None:
    """Check that browsers can follow the URL, and that it is a web page. Raises InvalidFields."""
    if url is None:
        return
    try:
        is_page = SUPPORT_URL.fullmatch(url) is not None and bool(urlsplit(url).hostname)
        is_page = is_page and (urlsplit(url).port or 1) > 0
    except ValueError:
        is_page = False
    if not is_page:
        raise InvalidFields([FieldError("support_url", "must be a URL that begins with https:// or http://")])
