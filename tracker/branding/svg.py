"""SVG drawings made safe: rebuilt from the few elements and attributes that a logo needs.

What is not in the lists below is left out: scripts, event handlers, `foreignObject`, pictures, filters,
animations, links, metadata, and every reference to something outside of the drawing. Entities are refused.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder, tostring
from xml.parsers import expat

from tracker.branding.svg_values import ATTRIBUTES, is_harmless, safe_declarations, safe_rules
from tracker.errors import FieldError, InvalidFields

SVG: Final = "http://www.w3.org/2000/svg"
XLINK_HREF: Final = "http://www.w3.org/1999/xlink href"
SHAPES: Final = frozenset({"path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text"})
CLIPS: Final = frozenset({"clipPath", "mask"})
OTHERS: Final = frozenset(
    {"svg", "g", "defs", "symbol", "use", "linearGradient", "radialGradient", "stop", "tspan"}
)
WORDS: Final = frozenset({"title", "desc", "style"})
ALLOWED: Final = SHAPES | CLIPS | OTHERS | WORDS
TRANSPARENT: Final = frozenset({"a", "switch"})  # their children stay
WITH_TEXT: Final = frozenset({"text", "tspan", "title", "desc"})
LOCAL: Final = re.compile(r"#[\w.:-]+", re.ASCII)
DEEPEST: Final = 40  # elements within each other
MOST_ELEMENTS: Final = 5_000
MOST_USES: Final = 50  # each may repeat all the others


def safe_svg(data: bytes, field: str) -> bytes:
    """Return the drawing, rebuilt. Raises InvalidFields that names *field*."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(field, "must be SVG in UTF-8") from None
    root = _parse(text, field)
    if _name(root.tag) != "svg":
        raise _refused(field, "must be SVG: its outermost element must be svg")
    [drawing] = _rebuilt(root)
    _drop_repetitions(drawing)
    if not any(element.tag in SHAPES for element in drawing.iter()):
        raise _refused(field, "shows nothing: use paths and shapes, not pictures, scripts or other files")
    drawing.set("xmlns", SVG)
    rebuilt: bytes = tostring(drawing, encoding="utf-8")
    return rebuilt


def _parse(text: str, field: str) -> Element:
    """Parse without any declaration of entities. Raises InvalidFields."""
    parser, builder = expat.ParserCreate("utf-8", " "), TreeBuilder()
    depth = count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > DEEPEST or count > MOST_ELEMENTS:
            raise _refused(field, f"must have at most {MOST_ELEMENTS:,} elements, at most {DEEPEST} deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse_entities(*declaration: object) -> None:
        raise _refused(field, "must not declare entities; export it without a DOCTYPE")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = parser.AttlistDeclHandler = refuse_entities
    parser.SkippedEntityHandler = refuse_entities
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise _refused(field, f"is not well-formed XML in line {error.lineno}") from None
    root: Element = builder.close()
    return root


def _rebuilt(element: Element, *, within_clip: bool = False) -> Iterator[Element]:
    """Yield the safe part of an element: itself, its children, or nothing."""
    name = _name(element.tag)
    if name not in ALLOWED | TRANSPARENT:
        return
    in_clip = within_clip or name in CLIPS
    children = [safe for child in element for safe in _rebuilt(child, within_clip=in_clip)]
    if name in TRANSPARENT:
        yield from children
        return
    safe = Element(name, _attributes(element.attrib, within_clip=in_clip))
    if name == "style":
        safe.text = safe_rules("".join(element.itertext()))
    else:
        safe.extend(children)
        _copy_text(element, safe)
    if name != "use" or "href" in safe.attrib:
        yield safe


def _copy_text(element: Element, safe: Element) -> None:
    """Copy the text of an element that shows or describes text, and the text behind its kept children."""
    if safe.tag not in WITH_TEXT:
        return
    safe.text = element.text
    kept = [child for child in element if _name(child.tag) == "tspan"]
    for old, new in zip(kept, [child for child in safe if child.tag == "tspan"], strict=False):
        new.tail = old.tail


def _attributes(given: Mapping[str, str], *, within_clip: bool) -> dict[str, str]:
    """Return the allowed attributes with harmless values. Clips in clips could multiply without an end."""
    kept = {name: value for name, value in given.items() if name in ATTRIBUTES and is_harmless(value)}
    if within_clip:
        kept.pop("clip-path", None)
        kept.pop("mask", None)
    target = given.get("href", given.get(XLINK_HREF, ""))
    if LOCAL.fullmatch(target):
        kept["href"] = target
    if "style" in given and (style := safe_declarations(given["style"], clips=not within_clip)):
        kept["style"] = style
    return kept


def _drop_repetitions(drawing: Element) -> None:
    """Remove each `use` whose target is missing or contains another one, and all beyond MOST_USES."""
    by_id = {element.get("id"): element for element in drawing.iter()}
    repeating = {id_ for id_, element in by_id.items() if element.find(".//use") is not None}
    uses = 0
    for parent in list(drawing.iter()):
        for use in parent.findall("use"):
            target = use.get("href", "").removeprefix("#")
            uses += 1
            is_use = by_id.get(target) is not None and by_id[target].tag == "use"
            if target not in by_id or target in repeating or is_use or uses > MOST_USES:
                parent.remove(use)


def _name(tag: str) -> str:
    """Return the name of an SVG element; empty for one of another vocabulary."""
    namespace, _, name = tag.rpartition(" ")
    return name if namespace in {"", SVG} else ""


def _refused(field: str, detail: str) -> InvalidFields:
    return InvalidFields([FieldError(field, detail)])
