"""The brand's files for browsers: logo, colours, and the manifest. Their URL holds the brand's version."""

import re
from typing import Any, Final

import msgspec
from msgspec import Struct
from quart import Blueprint, Response

from tracker.api.client_info import base_url, public_path
from tracker.api.static_files import static_url
from tracker.domain.branding.brand import Brand
from tracker.domain.branding.colour import ThemeColours, dark_colours, light_colours
from tracker.errors import NotFound
from tracker.node import current_node

IMMUTABLE: Final = "public, max-age=31536000, immutable"
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
THEMES: Final = {"light": light_colours, "dark": dark_colours}
ICON_SIDE: Final = 180  # pixels of the icon for homescreens
UNNAMED: Final = "Order tracking"
NOT_DIALLED: Final = re.compile(r"[^+0-9]")

blueprint = Blueprint("brand_files", __name__)


def brand_url(brand: Brand, name: str) -> str:
    """Return the URL path of a file of this brand for clients."""
    return public_path(f"/static/brand/{brand.version}/{name}")


class BrandLook(Struct, frozen=True):
    """What a page shows of the brand. URLs are paths for clients; the logo's is whole, for other sites."""

    name: str
    icon: str
    touch_icon: str
    manifest: str
    logo: str | None
    light: str | None  # style sheet of the colours
    dark: str | None
    support_url: str | None
    support_phone: str | None
    phone_url: str | None

    @property
    def has_help(self) -> bool:
        return bool(self.support_url or self.support_phone)


async def brand_look() -> BrandLook:
    """Return what pages show of the brand."""
    return look_of(await current_node().brands.current())


def look_of(brand: Brand) -> BrandLook:
    """Return what pages show of this brand."""
    logo, phone = brand.logo_name and brand_url(brand, brand.logo_name), brand.support_phone
    origin = base_url().removesuffix(public_path(""))
    is_png = brand.logo is not None and brand.logo.type == "image/png"
    return BrandLook(
        name=brand.name or "",
        icon=icon_url(brand),
        touch_icon=logo if logo and is_png else static_url("icons/touch.png"),
        manifest=brand_url(brand, "manifest.webmanifest"),
        logo=logo and f"{origin}{logo}",
        light=brand.colour and brand_url(brand, "light.css"),
        dark=brand.colour and brand_url(brand, "dark.css"),
        support_url=brand.support_url,
        support_phone=phone,
        phone_url=phone and f"tel:{NOT_DIALLED.sub('', phone)}",
    )


def icon_url(brand: Brand) -> str:
    """Return the URL path of the pages' icon."""
    return static_url("icons/pin.svg") if brand.logo_name is None else brand_url(brand, brand.logo_name)


@blueprint.get("/static/brand/<version>/<name>")
async def brand_file(version: str, name: str) -> Response:
    """Send a file of the present brand; those of earlier ones are gone."""
    brand = await current_node().brands.of_version(version)
    found = None if brand is None else _file(brand, name)
    if found is None:
        raise NotFound("file")
    content, content_type = found
    headers = {"Cache-Control": IMMUTABLE, "Content-Security-Policy": POLICY}
    return Response(content, 200, headers, content_type=content_type)


def _file(brand: Brand, name: str) -> tuple[bytes | str, str] | None:
    """Return the content and type of a file; None if the brand has none of this name."""
    if brand.logo is not None and name == brand.logo_name:
        return brand.logo.content, brand.logo.type
    if name == "manifest.webmanifest":
        return msgspec.json.encode(_manifest(brand)), "application/manifest+json"
    theme, _, suffix = name.partition(".")
    if brand.colour is None or suffix != "css" or theme not in THEMES:
        return None
    return _style(THEMES[theme](brand.colour)), "text/css; charset=utf-8"


def _style(colours: ThemeColours) -> str:
    """Return the custom properties of web/style/track.css that the brand sets."""
    properties = {
        "--accent": colours.accent,
        "--accent-text": colours.accent,
        "--accent-soft": colours.soft,
        "--route-ahead": colours.accent,
        "--on-accent": colours.on_accent,
    }
    return ":root, :host { " + " ".join(f"{name}: {value};" for name, value in properties.items()) + " }\n"


def _manifest(brand: Brand) -> dict[str, Any]:
    """Return the manifest of the customers' pages. Without `start_url`, each page is its own start."""
    icons = [{"src": static_url("icons/touch.png"), "sizes": f"{ICON_SIDE}x{ICON_SIDE}", "type": "image/png"}]
    if brand.logo is not None:
        icons.insert(0, {"src": icon_url(brand), "sizes": "any", "type": brand.logo.type})
    colours = {} if brand.colour is None else {"theme_color": light_colours(brand.colour).accent}
    name = brand.name or UNNAMED
    return {"name": name, "short_name": name[:12], "display": "browser", "icons": icons, **colours}
