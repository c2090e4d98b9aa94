"""SVG logos: what makes a drawing stays, everything else is left out or refused."""

import re

import pytest

from tracker.branding.svg import safe_svg
from tracker.errors import InvalidFields

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 8 8">'
CIRCLE = '<circle cx="4" cy="4" r="4"/>'

HOSTILE = (
    "<script>alert(1)</script>",
    '<script href="https://evil.example/x.js"/>',
    '<g onload="alert(1)" onclick="alert(1)"><path d="M0 0"/></g>',
    "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></body></foreignObject>",
    '<image href="https://evil.example/x.png"/>',
    '<image xlink:href="data:image/svg+xml;base64,AAAA"/>',
    '<use href="https://evil.example/x.svg#a"/>',
    '<use xlink:href="data:image/svg+xml,x#a"/>',
    '<a href="javascript:alert(1)"><rect width="1" height="1"/></a>',
    '<a xlink:href="javascript:alert(1)"><rect width="1" height="1"/></a>',
    '<rect fill="url(https://evil.example/x#a)" width="1" height="1"/>',
    '<rect fill="u\\72l(https://evil.example/x#a)" width="1" height="1"/>',
    '<rect style="fill:url(//evil.example/x)" width="1" height="1"/>',
    '<rect style="fill:red;background:url(//evil.example/x);-moz-binding:url(//evil.example)"/>',
    '<rect fill="image-set(\'https://evil.example/x\')" width="1" height="1"/>',
    "<style>@import url(https://evil.example/x.css); rect{fill:red}</style>",
    "<style>@font-face{font-family:x;src:url(https://evil.example/x.woff)}</style>",
    "<style>rect{fill:url(https://evil.example/x)}</style>",
    "<style>rect{fill:u\\72l(https://evil.example/x)}</style>",
    "<style>@media screen{rect{background-image:url(https://evil.example/x)}}</style>",
    "<style><![CDATA[rect{fill:url('https://evil.example/x')}]]></style>",
    '<set attributeName="onload" to="alert(1)"/>',
    '<animate attributeName="href" values="javascript:alert(1)"/>',
    '<filter id="f"><feImage href="https://evil.example/x"/></filter>',
    '<metadata><evil xmlns="https://evil.example/"/></metadata>',
    '<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>',
    '<x:script xmlns:x="http://www.w3.org/2000/svg">alert(1)</x:script>',
    '<x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>',
    '<?xml-stylesheet href="https://evil.example/x.css"?>',
    "<!-- https://evil.example -->",
    '<handler type="application/ecmascript">alert(1)</handler>',
    '<iframe src="https://evil.example"/>',
)
BANNED = re.compile(
    rb"script|foreign|alert|evil|javascript|\bon\w+=|image|import|data:|animate|\bset\b|filter|//", re.I
)


def safe(inner: str) -> bytes:
    return safe_svg(f"{HEAD}{inner}</svg>".encode(), "logo")


@pytest.mark.parametrize("inner", HOSTILE)
def test_nothing_active_or_foreign_stays(inner: str) -> None:
    """The drawing stays, and is safe when it goes through once more."""
    made = safe(inner + CIRCLE)
    assert b"circle" in made
    assert BANNED.search(made.replace(b'"http://www.w3.org/2000/svg"', b"")) is None, made
    assert safe_svg(made, "logo") == made


def test_a_usual_drawing_stays_as_it_is() -> None:
    """Paths, groups, gradients, clips, symbols, styles and text."""
    inner = (
        '<title>Bakery &amp; Sons</title><defs><linearGradient id="a" x1="0" x2="1"><stop offset="0" '
        'stop-color="#f00"/></linearGradient><clipPath id="c"><rect width="8" height="8"/></clipPath></defs>'
        '<style>.b,.c{fill:#123456;stroke:none}</style><g clip-path="url(#c)" transform="translate(1 2)">'
        '<path class="b" d="M0 0h8v8z" fill="url(#a)"/><text x="1" y="7">Ba<tspan dy="1">k</tspan>ery'
        '</text></g><symbol id="s"><circle r="1"/></symbol><use x="2" href="#s"/>'
    )
    kept = inner.replace("/>", " />")
    assert safe(inner).decode() == f'<svg viewBox="0 0 8 8" xmlns="http://www.w3.org/2000/svg">{kept}</svg>'


def test_what_browsers_would_not_show_is_shown() -> None:
    """A drawing without a namespace, with old links, with a byte order mark and a plain DOCTYPE."""
    head = (
        '\ufeff<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">'
    )
    made = safe_svg(f"{head}<svg viewBox='0 0 1 1'><path d='M0 0h1'/></svg>".encode(), "logo")
    assert made == b'<svg viewBox="0 0 1 1" xmlns="http://www.w3.org/2000/svg"><path d="M0 0h1" /></svg>'
    assert b'<use href="#a"' in safe('<path id="a" d="M0 0"/><use xlink:href="#a"/>')


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x89PNG\r\n", "UTF-8"),
        (b"<svg", "well-formed"),
        (b"<html><svg/></html>", "outermost"),
        (f"{HEAD}<script/></svg>".encode(), "shows nothing"),
        (b'<!DOCTYPE svg [<!ENTITY x "y">]>' + f"{HEAD}&x;{CIRCLE}</svg>".encode(), "entities"),
        (b'<!DOCTYPE svg [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><svg/>', "entities"),
        (f"{HEAD}{'<g>' * 60}{CIRCLE}{'</g>' * 60}</svg>".encode(), "deep"),
        (f"{HEAD}{CIRCLE * 5_001}</svg>".encode(), "elements"),
        ("<svg/>".encode("utf-16"), "UTF-8"),
    ],
)
def test_what_is_refused_is_named(data: bytes, why: str) -> None:
    """The field, and what to change."""
    with pytest.raises(InvalidFields) as caught:
        safe_svg(data, "logo")
    [error] = caught.value.errors
    assert error.field == "logo" and why in error.detail


def test_repetitions_do_not_multiply() -> None:
    """A few bytes could make a browser draw a billion shapes."""
    twice = [f'<g id="g{n}">{f"<use href='#g{n - 1}'/>" * 2}</g>' for n in range(1, 30)]
    assert safe(f'<g id="g0">{CIRCLE}</g>{"".join(twice)}').count(b"<use") <= 2
    assert safe(f'<g id="a"><use href="#a"/>{CIRCLE}</g>').count(b"<use") == 0
    assert safe(f'<path id="a" d="M0 0"/>{"<use href='#a'/>" * 200}').count(b"<use") == 50
    clips = "".join(
        f'<mask id="m{n}"><g mask="url(#m{n - 1})" style="mask:url(#m{n - 1})">{CIRCLE}</g></mask>'
        for n in range(9)
    )
    assert b"url(" not in safe(clips)
