"""Judge: reads what customers were sent, by every way, and holds each message against the rules."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tests.privacy.exchanges import Exchange, Record, Said, Unreadable
from tests.privacy.rules import RULES, WHEREABOUTS, Case
from tests.privacy.story import Story, seconds

CUSTOMERS: Final = re.compile(r"/(?:v1/track|t|embed)/([^/?]+)")
EMBEDDED: Final = re.compile(rb'<script type="application/json" id="snapshot">(.*?)</script>', re.DOTALL)
COORDINATE: Final = re.compile(rb"\b\d{1,3}\.\d{4,}\b")


PIN: Final = re.compile(rb'"pin": ?"([0-9]{4})"')
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT")
WRITTEN_BY_PEOPLE: Final = {"text", "reason", "instructions", "contact", "metadata"}


class Violation(msgspec.Struct, frozen=True):
    """One message that says what its customer must not know."""

    rule: str
    link: str
    way: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.way} of link {self.link[:8]}…: {self.message[:600]}"


class Told(msgspec.Struct):
    """What one customer has been told so far, and is told now."""

    token: str
    way: str
    state: dict[str, Any] = {}


class Judge:
    """Fed with the records of all lines in order of time; says what broke a rule."""

    def __init__(self) -> None:
        self.story = Story()
        self.judged = 0  # messages with something of a driver in them
        self._told: dict[tuple[int, str], Told] = {}

    def hears(self, records: list[tuple[float, int, Record]]) -> list[Violation]:
        """All that was said since the last time: first the story, then what customers were told of it."""
        for _, line, record in records:
            if isinstance(record, Exchange) and not CUSTOMERS.match(urlsplit(record.path).path):
                self.story.exchanged(record)
            elif isinstance(record, Said) and "/drivers/stream" in record.path:
                self.story.said(line, record)
        pins = {pin.decode() for _, _, record in records for pin in PIN.findall(_told_customers(record))}
        return [
            broken
            for _, line, record in records
            for broken in (*self._judge(line, record), *_pins_told_others(record, pins))
        ]

    def _judge(self, line: int, record: Record) -> Iterator[Violation]:
        if isinstance(record, Unreadable):
            if b'"position"' in record.text:
                yield Violation("cannot be read, and tells a position", "?", "?", repr(record.text))
            return
        found = CUSTOMERS.match(urlsplit(record.path).path)
        if found is None or (isinstance(record, Said) and record.by_client):
            return
        way = urlsplit(record.path).path.replace(found[1], "…")
        told = self._told.setdefault((line, found[1]), Told(found[1], way))
        for message in self._messages(record, told):
            yield from self._judge_message(message, told)

    def _messages(self, record: Exchange | Said, told: Told) -> Iterator[dict[str, Any]]:
        if isinstance(record, Said):
            text = record.text
            yield msgspec.json.decode(text) if isinstance(text, str) else msgspec.msgpack.decode(text)
        elif record.status != 200 or not record.answer:
            return
        elif record.answer_headers.get("content-type", "") == "application/json":
            answer = msgspec.json.decode(record.answer)
            yield from answer.get("messages", [answer])
        elif (embedded := EMBEDDED.search(record.answer)) is not None:
            if COORDINATE.search(record.answer.replace(embedded[0], b"")):
                yield {"type": "page", "now": None, "told": "a coordinate outside its snapshot"}
            yield msgspec.json.decode(embedded[1])

    def _judge_message(self, message: dict[str, Any], told: Told) -> Iterator[Violation]:
        def broken(rule: str) -> Violation:
            return Violation(rule, told.token, told.way, msgspec.json.encode(message).decode())

        if message["type"] == "page":
            yield broken("a page tells a coordinate")
        if message["type"] not in {"snapshot", "update"}:
            return
        before = {} if message["type"] == "snapshot" else told.state
        told.state = before | message
        order = self.story.orders.get(self.story.order_of_link.get(told.token, ""))
        at = seconds(message["now"])
        if order is None:
            if any(message.get(field) is not None for field in WHEREABOUTS):
                yield broken("nobody knows of this link")
            return
        if at > self.story.revoked.get(told.token, at):
            yield broken("the link is revoked")
        if not (possible := order.possible(at)):
            return
        case = Case(message, told.state, at, order, possible, self.story)
        self.judged += case.tells(*WHEREABOUTS)
        yield from (broken((rule.__doc__ or "").rstrip(".")) for rule in RULES if rule(case))


def _told_customers(record: Record) -> bytes:
    """What this record tells a customer, as text; nothing if it tells somebody else."""
    if isinstance(record, Unreadable) or not CUSTOMERS.match(urlsplit(record.path).path):
        return b""
    told = record.answer if isinstance(record, Exchange) else record.text
    return told.encode() if isinstance(told, str) else told


def _pins_told_others(record: Record, pins: set[str]) -> Iterator[Violation]:
    """A PIN of a customer in what a driver or a merchant is told, in any value that no person wrote."""
    if not pins or isinstance(record, Unreadable) or CUSTOMERS.match(urlsplit(record.path).path):
        return
    if isinstance(record, Said) and record.by_client:
        return
    told = record.answer if isinstance(record, Exchange) else record.text
    is_packed = isinstance(record, Said) and isinstance(told, bytes)
    try:
        message = msgspec.msgpack.decode(bytes(told)) if is_packed else msgspec.json.decode(told)  # type: ignore[arg-type]
    except (msgspec.DecodeError, UnicodeError, ValueError):
        return
    if any(pin in pins for pin in _digits_in(message)):
        yield Violation("a customer's PIN is told to others", "?", urlsplit(record.path).path, str(message))


def _digits_in(value: object) -> Iterator[str]:
    """Every group of four digits that stands by itself, times left out."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from () if name in WRITTEN_BY_PEOPLE else _digits_in(inner)
        case list():
            for inner in value:
                yield from _digits_in(inner)
        case str() if not TIME.match(value):
            yield from re.findall(r"(?<!\w)[0-9]{4}(?!\w)", value)
