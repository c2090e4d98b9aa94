"""Which attributes and style rules of an SVG drawing are kept, and which values they may have."""

import re
from typing import Final

PAINT: Final = {
    "fill", "fill-opacity", "fill-rule", "stroke", "stroke-width", "stroke-linecap", "stroke-linejoin",
    "stroke-miterlimit", "stroke-dasharray", "stroke-dashoffset", "stroke-opacity", "opacity", "color",
    "clip-path", "clip-rule", "mask", "mask-type", "stop-color", "stop-opacity", "display",
    "visibility", "paint-order", "vector-effect", "shape-rendering", "text-rendering",
    "mix-blend-mode", "isolation", "overflow", "transform", "transform-origin", "font-family",
    "font-size", "font-weight", "font-style", "font-stretch", "letter-spacing", "word-spacing",
    "text-anchor", "dominant-baseline", "alignment-baseline", "baseline-shift",
}  # fmt: skip
GEOMETRY: Final = {
    "d", "points", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "fx", "fy", "fr",
    "dx", "dy", "rotate", "width", "height", "viewBox", "preserveAspectRatio", "pathLength",
    "textLength", "lengthAdjust", "offset", "gradientUnits", "gradientTransform", "spreadMethod",
    "clipPathUnits", "maskUnits", "maskContentUnits", "id", "class", "version",
}  # fmt: skip
ATTRIBUTES: Final = PAINT | GEOMETRY
FUNCTIONS: Final = {
    "rgb", "rgba", "hsl", "hsla", "url", "matrix", "translate", "translatex", "translatey", "scale",
    "scalex", "scaley", "rotate", "skewx", "skewy",
}  # fmt: skip
FUNCTION: Final = re.compile(r"([\w-]*)\s*\(", re.ASCII)
URL: Final = re.compile(r"url\(", re.IGNORECASE)
LOCAL_URL: Final = re.compile(r"""url\(\s*(["']?)#[\w.:-]+\1\s*\)""", re.ASCII | re.IGNORECASE)
COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
RULE: Final = re.compile(r"([^{}]+)\{([^{}]*)\}")
SELECTOR: Final = re.compile(r"[\w\s.#,>*-]+", re.ASCII)
CLIPPING: Final = frozenset({"clip-path", "mask"})


def is_harmless(value: str) -> bool:
    """Whether a value refers to nothing outside of the drawing and calls only known functions."""
    if any(character in value for character in "\\<>@{};") or "/*" in value:
        return False
    called = {name.lower() for name in FUNCTION.findall(value)}
    return called <= FUNCTIONS and len(URL.findall(value)) == len(LOCAL_URL.findall(value))


def safe_declarations(style: str, *, clips: bool = True) -> str:
    """Return those declarations of a `style` that set known properties to harmless values."""
    kept = []
    for declaration in COMMENT.sub(" ", style).split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        is_known = name.lower() in PAINT and (clips or name.lower() not in CLIPPING)
        if is_known and value and is_harmless(value):
            kept.append(f"{name.lower()}:{value}")
    return ";".join(kept)


def safe_rules(sheet: str) -> str:
    """Return the rules of a style sheet with plain selectors, and without what clips or masks."""
    rules = (
        (selector.strip(), safe_declarations(declarations, clips=False))
        for selector, declarations in RULE.findall(COMMENT.sub(" ", sheet))
    )
    return "".join(
        f"{selector}{{{kept}}}" for selector, kept in rules if kept and SELECTOR.fullmatch(selector)
    )
