"""Judge: reads what the service said, to customers by every way, and holds each message against the rules.

What it said to others is searched for PINs and for places that were recorded off duty.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tests.privacy.duty_rules import DUTY_RULES, FOUND_OFF_DUTY, tells_of_off_duty
from tests.privacy.duty_times import OffDuty
from tests.privacy.exchanges import Exchange, Logged, Published, Record, Said, Unreadable
from tests.privacy.pins import CUSTOMERS, EMBEDDED, Pins
from tests.privacy.rules import POSITION_FIELDS, RULES, Case
from tests.privacy.story import Story, seconds

COORDINATE: Final = re.compile(rb"\b\d{1,3}\.\d{4,}\b")


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
        self.heard: Counter[type] = Counter()  # records of each kind
        self._told: dict[tuple[int, str], Told] = {}
        self._pins = Pins()

    def hears(self, records: list[tuple[float, int, Record]]) -> list[Violation]:
        """All that was said since the last time: first the story, then what customers were told of it."""
        self.heard.update(type(record) for _, _, record in records)
        for _, line, record in records:
            self._tell_story(line, record)
        for _, _, record in records:
            self._pins.learn(record, self.story)
        return [broken for _, line, record in records for broken in self._judge_record(line, record)]

    def begins_a_test(self) -> None:
        """PINs and places of home are secrets of one test: in another the same digits say nothing."""
        self._pins, self.story.off_duty = Pins(), OffDuty()
        self.story.room = lambda _: 0.0

    def _tell_story(self, line: int, record: Record) -> None:
        if isinstance(record, Exchange) and not CUSTOMERS.match(urlsplit(record.path).path):
            self.story.exchanged(record)
        elif isinstance(record, Said) and "/drivers/stream" in record.path:
            self.story.said(line, record)
        elif isinstance(record, Published):
            self.story.published(record)

    def _judge_record(self, line: int, record: Record) -> Iterator[Violation]:
        yield from self._judge(line, record)
        broken = set(self._pins.broken_by(record, self.story))
        if tells_of_off_duty(record, self.story.off_duty.secret):
            broken.add(FOUND_OFF_DUTY)
        yield from (Violation(rule, "?", _way(record), _text(record)) for rule in sorted(broken))

    def _judge(self, line: int, record: Record) -> Iterator[Violation]:
        if isinstance(record, Unreadable):
            if b'"position"' in record.text:
                yield Violation("cannot be read, and tells a position", "?", "?", repr(record.text))
            return
        if isinstance(record, (Published, Logged)):
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
        before = told.state
        told.state = message if message["type"] == "snapshot" else before | message
        order = self.story.orders.get(self.story.order_of_link.get(told.token, ""))
        at = seconds(message["now"])
        if order is None:
            if any(message.get(field) is not None for field in POSITION_FIELDS):
                yield broken("nobody knows of this link")
            return
        if at > self.story.revoked.get(told.token, at):
            yield broken("the link is revoked")
        if not (possible := order.possible(at)):
            return
        case = Case(message, before, told.state, at, order, possible, self.story)
        self.judged += case.tells(*POSITION_FIELDS)
        yield from (broken((rule.__doc__ or "").rstrip(".")) for rule in (*RULES, *DUTY_RULES) if rule(case))


def _way(record: Record) -> str:
    match record:
        case Exchange() | Said():
            return urlsplit(record.path).path
        case Published():
            return record.topic
        case _:
            return type(record).__name__


def _text(record: Record) -> str:
    match record:
        case Exchange():
            return f"{record.answer_headers} {record.answer!r}"
        case Published():
            return repr(record.payload)
        case _:
            return repr(record.text)
