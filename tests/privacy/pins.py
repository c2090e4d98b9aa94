"""PINs: what only the customer of an order may read, searched for in all that the service says to anybody.

A PIN may stand in the field `pin` of its customer's snapshots and updates, and in the body of their page. One
that is called `pin` is found even if no customer was told it; any other by its digits. Whole numbers count
from 1000 on, where they are no measure and no count: smaller ones are everywhere.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from tests.privacy.exchanges import Exchange, Published, Record, Said, Unreadable
from tests.privacy.story import Order, Story, seconds

CUSTOMERS: Final = re.compile(r"/(?:v1/track|t|embed)/([^/?]+)")
EMBEDDED: Final = re.compile(rb'<script type="application/json" id="snapshot">(.*?)</script>', re.DOTALL)
PAGE_BODY: Final = re.compile(r"<body.*", re.DOTALL)
NAMED: Final = re.compile(rb'"pin": ?"?[0-9]{1,4}\b|\xa3pin(?:\xa4[0-9]{4}|[\xcc\xcd])')
ENTERED: Final = re.compile(rb'name="?value"?\r\n(?:[^\r\n]+\r\n)*\r\n([0-9]{4})\r\n')
GROUP: Final = re.compile(r"(?<!\w)(?<!\d\.)[0-9]{4}(?!\w)(?!\.\d)")
TIME: Final = re.compile(r"\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?")
STATIC: Final = ("image/", "font/", "text/javascript", "text/css", "application/wasm", "application/octet")
EXAMPLES: Final = ("/openapi.json", "/asyncapi.json", "/docs")
WRITTEN_BY_PEOPLE: Final = {"text", "reason", "instructions", "contact", "metadata"}
NO_PIN: Final = re.compile(
    r".*(_s|_m|_ms|_bytes)|id|n|[rtwq]|index|version|limit|count|length|size|port|pid|status|stored|duplicates"
    r"|discarded|fixes|rejected|accuracy|altitude|heading|speed"
)
ORDINARY_HEADERS: Final = {"content-length", "date", "last-modified", "expires", "ratelimit", "retry-after"}
TOLD_OTHERS: Final = "A customer's PIN is told to others, or outside its field"
OUTLIVED: Final = "A PIN is told after the end of its order or attempt"
NOTICED: Final = 1.0  # seconds from a change to its taking effect


class Shown(NamedTuple):
    """A PIN in its field, for the customer of an order."""

    order_id: str
    pin: str
    at: float  # by the service's clock


class Pins:
    """The PINs of one test; learned from customers, and from drivers who entered a right one."""

    def __init__(self) -> None:
        self._owner: dict[str, str] = {}  # the order that had it first, by PIN
        self._learned: dict[tuple[str, str], float] = {}  # when an order first had this PIN

    def learn(self, record: Record, story: Story) -> None:
        """Take in the PINs that a record shows."""
        entered = _entered(record)
        for order_id, pin, at in (*_shown(record, story), *([entered] if entered else [])):
            self._owner.setdefault(pin, order_id)
            self._learned.setdefault((order_id, pin), at)

    def broken_by(self, record: Record, story: Story) -> Iterator[str]:
        """The rules that are broken by what the service says in a record."""
        if isinstance(record, Said) and record.by_client:
            return
        if isinstance(record, Published) and not record.by_service:
            return
        link = link_of(record)
        owner = None if link is None else story.order_of_link.get(link)
        if (
            (link is None and _is_named(record))
            or any(digits in self._owner for digits in _elsewhere(record))
            or any(self._owner.get(digits, owner) != owner for digits in _in_page(record))
        ):
            yield TOLD_OTHERS
        for order_id, pin, at in _shown(record, story):
            if self._owner[pin] != order_id:
                yield TOLD_OTHERS
            elif (order := story.orders.get(order_id)) is not None and self._is_outlived(order, pin, at):
                yield OUTLIVED

    def _is_outlived(self, order: Order, pin: str, at: float) -> bool:
        learned = self._learned[order.id, pin]
        return order.is_over(at - NOTICED) or any(
            learned < asked and answered < at - NOTICED for asked, answered in order.attempts
        )


def link_of(record: Record) -> str | None:
    """The token of the link by which a customer was answered."""
    if not isinstance(record, (Exchange, Said)):
        return None
    found = CUSTOMERS.match(urlsplit(record.path).path)
    return None if found is None else found[1]


def _entered(record: Record) -> Shown | None:
    """The PIN that a driver entered, if it was the right one."""
    if not isinstance(record, Exchange) or record.status != 201 or not record.path.endswith("/proofs"):
        return None
    found = ENTERED.search(record.body) if b"\r\npin\r\n" in record.body else None
    return None if found is None else Shown(record.path.split("/")[3], found[1].decode(), record.asked_at)


def _shown(record: Record, story: Story) -> Iterator[Shown]:
    """PINs in their field."""
    link = link_of(record)
    for message in told_customers(record):
        pin, at = message.get("pin"), message.get("now")
        if link is not None and pin is not None and isinstance(at, str):
            yield Shown(story.order_of_link.get(link, link), str(pin), seconds(at))


def told_customers(record: Record) -> Iterator[dict[str, Any]]:
    """Snapshots, updates and other messages to the customer of a link."""
    if link_of(record) is not None and not (isinstance(record, Said) and record.by_client):
        yield from _messages(_content(record))


def _messages(content: Any) -> Iterator[dict[str, Any]]:
    """Snapshots and updates: alone, in the answer to a poll, or in a page."""
    if isinstance(content, bytes):
        found = EMBEDDED.search(content)
        content = None if found is None else _decoded(found[1])
    if isinstance(content, dict):
        yield from (one for one in content.get("messages", [content]) if isinstance(one, dict))


def _elsewhere(record: Record) -> Iterator[str]:
    """Every group of four digits that stands by itself, except a customer's PIN in its place."""
    if isinstance(record, Exchange):
        headers = record.answer_headers
        yield from (
            digits
            for name, value in headers.items()
            if name not in ORDINARY_HEADERS
            for digits in _in_text(value)
        )
        if record.path.startswith(EXAMPLES) or headers.get("content-type", "").startswith(STATIC):
            return
    content, is_customers = _content(record), link_of(record) is not None
    if isinstance(content, bytes):
        text = (EMBEDDED.sub(b"", content) if is_customers else content).decode("latin-1")
        yield from _in_text(PAGE_BODY.sub("", text) if is_customers else text)
    elif is_customers and isinstance(content, dict):
        for message in _messages(content):
            yield from _in_value({name: value for name, value in message.items() if name != "pin"})
    else:
        yield from _in_value(content)


def _in_page(record: Record) -> Iterator[str]:
    """Groups of digits in the body of a customer's page, where their own PIN may stand."""
    if isinstance(record, Exchange) and link_of(record) is not None:
        for body in PAGE_BODY.findall(EMBEDDED.sub(b"", record.answer).decode("latin-1")):
            yield from _in_text(body)


def _content(record: Record) -> Any:
    """What the service says: decoded, or as bytes."""
    match record:
        case Exchange():
            return _decoded(record.answer)
        case Said(text=str()):
            return _decoded(str(record.text).encode())
        case Said():
            return _decoded(bytes(record.text), packed=True)  # type: ignore[arg-type]
        case Published():
            return [record.topic, _decoded(record.payload)]
        case Unreadable():
            return record.text
        case _:
            return [_decoded(line) for line in record.text.splitlines()]


def _decoded(text: bytes, *, packed: bool = False) -> Any:
    try:
        return msgspec.msgpack.decode(text) if packed else msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError):
        return text


def _is_named(record: Record) -> bool:
    """Whether something in it is called a PIN and looks like one."""
    if isinstance(record, Exchange):
        return not record.path.startswith(EXAMPLES) and NAMED.search(record.answer) is not None
    said = record.payload if isinstance(record, Published) else record.text
    return NAMED.search(said.encode() if isinstance(said, str) else said) is not None


def _in_value(value: object, name: str = "") -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                if key not in WRITTEN_BY_PEOPLE:
                    yield from _in_text(str(key))
                    yield from _in_value(inner, str(key))
        case list() | tuple():
            for inner in value:
                yield from _in_value(inner, name)
        case str():
            yield from _in_text(value)
        case bytes():
            yield from _in_text(value.decode("latin-1"))
        case int() if 1_000 <= value <= 9_999 and not NO_PIN.fullmatch(name):
            yield str(value)


def _in_text(text: str) -> Iterator[str]:
    yield from GROUP.findall(TIME.sub(" ", text))
