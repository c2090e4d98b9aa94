"""Logos from `data:` URLs: what is kept of them, and what is refused."""

from base64 import b64encode
from io import BytesIO
from urllib.parse import quote

import pytest
from PIL import Image, PngImagePlugin

from tracker.branding.logo import MOST_BYTES, data_url, logo_of
from tracker.errors import InvalidFields

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h8v8z"/></svg>'


def png(image: Image.Image) -> bytes:
    """A PNG with metadata that must not stay."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "made at home")
    target = BytesIO()
    image.save(target, "PNG", pnginfo=notes, dpi=(72, 72), icc_profile=b"profile of my screen")
    return target.getvalue()


def url_of(content: bytes, type_: str = "image/png") -> str:
    return f"data:{type_};base64,{b64encode(content).decode()}"


async def test_a_png_is_encoded_again() -> None:
    """Its transparency stays, its metadata does not, and it is no larger than a page needs."""
    image = Image.linear_gradient("L").resize((1200, 300)).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize((1200, 300)))
    logo = await logo_of(url_of(png(image)))
    assert b"home" not in logo.content and b"profile" not in logo.content
    kept = Image.open(BytesIO(logo.content))
    assert (logo.type, kept.format, kept.mode, kept.size) == ("image/png", "PNG", "RGBA", (512, 128))
    assert set(kept.info) == set()
    assert (await logo_of(data_url(logo))).content == logo.content


async def test_a_logo_is_at_most_as_large_after_it_was_encoded_again() -> None:
    """A picture in few colours grows when it gets all of them."""
    noise = Image.effect_noise((900, 900), 90).quantize(2)
    content = png(noise)
    assert len(content) <= MOST_BYTES * 1.4
    small = png(noise.crop((0, 0, 700, 700)))
    assert len((await logo_of(url_of(small))).content) <= MOST_BYTES


@pytest.mark.parametrize(
    "url",
    [
        f"data:image/svg+xml;utf8,{SVG}",
        f"data:image/svg+xml,{quote(SVG)}",
        f"data:image/svg+xml;charset=utf-8,{quote(SVG)}",
        url_of(SVG.encode(), "image/svg+xml"),
    ],
)
async def test_an_svg_comes_in_every_form_of_a_data_url(url: str) -> None:
    """As text, percent-encoded, or in base64."""
    logo = await logo_of(url)
    assert logo.type == "image/svg+xml" and b'd="M0 0h8v8z"' in logo.content


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://shop.example/logo.png", "data: URL"),
        ("data:image/gif;base64,R0lGODdh", "data: URL"),
        ("data:text/html,<script>", "data: URL"),
        ("", "data: URL"),
        ("data:image/png;base64,AAA", "base64"),
        ("data:image/png;base64,AAAA", "PNG"),
        (url_of(SVG.encode()), "PNG"),
        ("data:image/svg+xml,hello", "well-formed"),
        (url_of(bytes(MOST_BYTES + 1)), "at most 100,000 bytes"),
        ("data:image/svg+xml," + "a" * (MOST_BYTES + 1), "at most 100,000 bytes"),
    ],
)
async def test_what_is_no_logo_is_refused_by_name(url: str, why: str) -> None:
    """One error of the field `logo` that says what is allowed."""
    with pytest.raises(InvalidFields) as caught:
        await logo_of(url)
    [error] = caught.value.errors
    assert error.field == "logo" and why in error.detail
