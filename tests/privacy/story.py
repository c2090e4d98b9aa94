"""Story: what was true, as merchants and drivers said it and were answered. Customers are not believed.

A change is in doubt between its request and its answer: then both what was and what will be are possible.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tests.privacy import phones
from tests.privacy.duty_times import Duty, DutyChange, DutyTimes, OffDuty
from tests.privacy.exchanges import Exchange, Headers, Published, Said
from tests.privacy.places import Place, Seen

ON_THE_ROAD: Final = {"assigned", "picked_up"}
OVER: Final = {"delivered", "failed", "cancelled"}
ONE_HOUSE: Final = 30.5  # metres between two doors, with what rounding adds
BELIEVED: Final = 200.0  # metres of accuracy


class Standing(msgspec.Struct, frozen=True):
    """How an order stood."""

    status: str
    driver_id: str | None
    dropoff: Place
    address: str | None
    contacts: frozenset[str] = frozenset()  # of its customer
    window: tuple[float | None, float | None] = (None, None)
    stepped: float = 0.0  # when it was made, given to its driver or fetched, the last of them

    @property
    def is_open(self) -> bool:
        """Whether a driver has it to bring."""
        return self.status in ON_THE_ROAD and self.driver_id is not None


class Change(msgspec.Struct, frozen=True):
    """From `began` to `sure` (seconds) it may have come into force; afterwards it has."""

    began: float
    sure: float
    standing: Standing


class Order:
    """One order's changes, in order, and what was asked for it."""

    def __init__(self, order_id: str, rules: dict[str, Any], reference: str | None) -> None:
        self.id, self.rules, self.reference = order_id, rules, reference
        self.changes: list[Change] = []
        self.attempts: list[tuple[float, float]] = []  # further ones: when they were asked for, and answered
        self.version = 0

    @property
    def words(self) -> str:
        """What is the customer's own."""
        return f"{self.reference} {[change.standing.address for change in self.changes]}"

    def possible(self, at: float) -> list[Standing]:
        """How it may have stood then; empty before it was."""
        settled = [change for change in self.changes if change.sure <= at]
        coming = [change.standing for change in self.changes if change.began <= at < change.sure]
        return [*([settled[-1].standing] if settled else []), *coming]

    def is_over(self, at: float) -> bool:
        """Whether it had ended for certain."""
        possible = self.possible(at)
        return bool(possible) and all(one.status in OVER for one in possible)

    def is_of_one_customer_with(self, other: "Order") -> bool:
        """Whether the two may ever have shared a phone number, an e-mail address or a house."""
        mine, theirs = ([change.standing for change in one.changes] for one in (self, other))
        return any(
            a.contacts & b.contacts or a.dropoff.metres_to(b.dropoff) < ONE_HOUSE
            for a in mine
            for b in theirs
        )

    def given(self, driver_id: str, at: float) -> float | None:
        """When the driver was asked to bring it, the last time before then."""
        begun = None
        for before, change in zip([None, *self.changes], self.changes, strict=False):
            was = None if before is None else before.standing.driver_id
            if change.standing.driver_id == driver_id != was and change.began <= at:
                begun = change.began
        return begun


class Driver:
    """One driver, and where their device said that it was."""

    def __init__(self, driver_id: str, name: str, displayed: str | None = None) -> None:
        self.id = driver_id
        self.reference: str | None = None  # by which a Traccar server knows them
        self.names = [(name, displayed)]  # all that the driver has had: name, and what to show instead
        self.seen = Seen()  # except off duty
        self.duty = DutyTimes()
        self.is_known = True  # False: fixes came in a form that is not read here


class Story:
    """Everything that the other sides said; fed in order of time."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.drivers: dict[str, Driver] = {}
        self.off_duty = OffDuty()
        self.carried: dict[str, dict[str, Order]] = {}  # by driver: what they have, or had
        self.order_of_link: dict[str, str] = {}  # by token
        self.revoked: dict[str, float] = {}  # link tokens, and since when for sure
        # Several nodes: how many seconds after an answer at that time others may still act as before.
        self.room: Callable[[float], float] = lambda _: 0.0
        self._token_of: dict[str, str] = {}  # of link ids
        self._driver_of: dict[str, str] = {}  # by token
        self._hello: dict[int, str] = {}  # lines, and who is on them
        self._reports: dict[tuple[int, object], tuple[float, str, str]] = {}
        self._duties: dict[tuple[int, object], tuple[Driver, DutyChange]] = {}  # not acknowledged

    # --- HTTP

    def exchanged(self, said: Exchange) -> None:
        """A request of anybody's, with its answer."""
        path = urlsplit(said.path).path
        answer = _json(said.answer)
        if said.status < 300:
            if path == "/v1/orders" and said.method == "POST":
                self._made(said, answer)
            for order in _orders_in(answer):
                self._heard(order, said)
            self._links(path, said, answer)
            if path.startswith("/v1/drivers"):
                self._driver(path, said, answer)
            if path.endswith("/attempts") and path.split("/")[3] in self.orders:
                self.orders[path.split("/")[3]].attempts.append((said.asked_at, said.answered_at))
        self._other_fixes(path, said)

    def _made(self, said: Exchange, answer: Any) -> None:
        asked = _json(said.body) or {}
        order = Order(answer["id"], asked.get("visibility") or {}, answer.get("reference"))
        self.orders.setdefault(order.id, order)
        self.order_of_link[answer["tracking_url"].rsplit("/", 1)[1]] = order.id

    def _heard(self, answer: dict[str, Any], said: Exchange) -> None:
        """Any answer that holds an order may be the first to tell of a change."""
        order = self.orders.get(answer["id"])
        if order is None or answer["version"] <= order.version:
            return
        order.version, place = answer["version"], answer["dropoff"]
        for each in (place, answer.get("pickup") or {}):
            if (stop := Place.maybe(each)) is not None:
                self.off_duty.told(stop)
        standing = Standing(
            answer["status"],
            answer["driver_id"],
            Place.of(place),
            place.get("address"),
            _contacts(answer.get("customer") or {}),
            _window(answer.get("window") or {}),
            max((seconds(at) for at in _steps(answer)), default=said.asked_at),
        )
        before = order.changes[-1] if order.changes else None
        if before is None or before.standing != standing:
            asked = said.asked_at if said.method != "GET" or before is None else before.sure
            sure = said.answered_at + self.room(said.answered_at)
            order.changes.append(Change(asked, sure, standing))
            self.carried.setdefault(standing.driver_id or "", {})[order.id] = order

    def _links(self, path: str, said: Exchange, answer: Any) -> None:
        parts = path.split("/")
        if len(parts) < 5 or parts[2] != "orders" or parts[4] != "links":
            return
        if said.method == "DELETE":
            sure = said.answered_at + self.room(said.answered_at)
            self.revoked[self._token_of.get(parts[5], "")] = sure
        for link in (answer or {}).get("items", [answer]) if isinstance(answer, dict) else []:
            if link and "url" in link:
                token = link["url"].rsplit("/", 1)[1]
                self.order_of_link[token], self._token_of[link["id"]] = parts[3], token

    def _driver(self, path: str, said: Exchange, answer: Any) -> None:
        parts = path.split("/")
        if said.method == "POST" and len(parts) == 3:
            named = Driver(answer["id"], answer["name"], answer.get("display_name"))
            named.reference = answer.get("reference")
            self.drivers.setdefault(answer["id"], named)
        if said.method == "PATCH" and len(parts) == 4 and parts[3] in self.drivers and answer:
            self.drivers[parts[3]].names.append((answer["name"], answer["display_name"]))
            self.drivers[parts[3]].reference = answer.get("reference")
        if said.method == "POST" and isinstance(answer, dict) and "token" in answer:
            self._driver_of[answer["token"]] = answer.get("id") or parts[3]
        if said.method == "DELETE" and len(parts) == 4:
            self._erased(parts[3], said)
        if path.endswith("/duty") and parts[3] in self.drivers:
            asked = _json(said.body)
            self.drivers[parts[3]].duty.change(_duty(asked), said.asked_at, said.answered_at)
        if path == "/v1/drivers/fixes":
            driver = self._by_token(said.headers.get("authorization", "").partition(" ")[2])
            body = _json(said.body)
            self._moved(driver, body.get("fixes") if isinstance(body, dict) else body, said.asked_at)

    def _erased(self, driver_id: str, said: Exchange) -> None:
        for order in self.orders.values():
            last = order.changes[-1] if order.changes else None
            if last is not None and last.standing.driver_id == driver_id and last.standing.is_open:
                over = msgspec.structs.replace(last.standing, status="failed", driver_id=None)
                order.changes.append(Change(said.asked_at, said.answered_at, over))

    def _other_fixes(self, path: str, said: Exchange) -> None:
        """Phone apps. Whose token comes along with what cannot be read is somewhere that is not known."""
        if path.startswith(("/ingest/", "/api/v1/overland")):
            whole = f"{said.path} {said.headers} {_password(said.headers)}".encode() + said.body
            fixes = None if said.status >= 300 else phones.read(said)
            for token, driver_id in self._driver_of.items():
                driver = self.drivers.get(driver_id)
                if driver is not None and any(
                    name and name.encode() in whole for name in (token, driver_id, driver.reference)
                ):
                    self._moved(driver, fixes, said.asked_at)

    def published(self, said: Published) -> None:
        """A message that a broker delivers to the service, which reads it later and may store it any time."""
        parts = said.topic.split("/")
        if not said.by_service and len(parts) == 3 and parts[0] == "owntracks":
            driver = self.drivers.get(parts[1])
            self._moved(driver, phones.owntracks(_json(said.payload)), said.at)

    # --- sockets

    def said(self, line: int, said: Said) -> None:
        """A message on a driver's socket."""
        message = _message(said.text)
        if said.by_client:
            self._said_by_driver(line, said, message if isinstance(message, dict) else {"type": "fixes"})
        elif isinstance(message, dict) and message.get("type") in {"ack", "error"}:
            self._acknowledged(line, message, said.at)
            report = self._reports.pop((line, message.get("id")), None)
            if report is not None and message["type"] == "ack":
                self._reported(report, said.at)

    def _said_by_driver(self, line: int, said: Said, message: dict[str, Any]) -> None:
        if message.get("type") == "hello":
            self._hello[line] = str(message.get("token"))
        token = said.headers.get("authorization", "").partition(" ")[2] or self._hello.get(line, "")
        driver = self._by_token(token)
        if message.get("type") == "fixes":
            self._moved(driver, message.get("fixes"), said.at)
        elif message.get("type") == "status" and isinstance(message.get("id"), int):
            key = (line, message["id"])
            self._reports[key] = (said.at, str(message.get("order_id")), str(message.get("status")))

        elif message.get("type") == "duty" and driver is not None:
            change = driver.duty.change(_duty(message), said.at)
            self._duties[line, message.get("id")] = (driver, change)

    def _acknowledged(self, line: int, message: dict[str, Any], at: float) -> None:
        """An answer to a change of duty; without one both duties remain possible."""
        driver, change = self._duties.pop((line, message.get("id")), (None, None))
        if driver is not None and change is not None and message["type"] == "ack":
            change.sure = at
        elif driver is not None and change is not None:
            driver.duty.changes.remove(change)

    def _reported(self, report: tuple[float, str, str], at: float) -> None:
        began, order_id, status = report
        order = self.orders.get(order_id)
        if order is not None and order.changes and order.changes[-1].standing.status in ON_THE_ROAD:
            standing = msgspec.structs.replace(order.changes[-1].standing, status=status, stepped=at)
            order.changes.append(Change(began, at, standing))

    def _moved(self, driver: Driver | None, fixes: object, at: float) -> None:
        """What cannot be read may have been read by the service: then it is not known where they were."""
        if driver is None:
            return
        if not isinstance(fixes, list):
            driver.is_known = False
            return
        times = [_recorded(fix) for fix in fixes if isinstance(fix, dict)]
        driver.duty.hears(max((one for one in times if one is not None), default=None), at)
        for fix in fixes:
            if isinstance(fix, dict) and (place := Place.maybe(fix)) is not None:
                accuracy, recorded = fix.get("accuracy"), _recorded(fix)
                believed = not isinstance(accuracy, int | float) or accuracy <= BELIEVED
                if driver.duty.take(place, at, recorded) == "off":
                    self.off_duty.add(place)
                else:
                    self.off_duty.told(place)
                    driver.seen.add(place, at, recorded, believed=believed)

    def _by_token(self, token: str) -> Driver | None:
        return self.drivers.get(self._driver_of.get(token.strip(), ""))


def _orders_in(answer: Any) -> Iterator[dict[str, Any]]:
    for one in (answer, *(answer.get("items", ()) if isinstance(answer, dict) else ())):
        if isinstance(one, dict) and isinstance(one.get("order"), dict):
            one = one["order"]  # noqa: PLW2901  # a history
        if isinstance(one, dict) and {"id", "status", "driver_id", "dropoff", "version"} <= one.keys():
            yield one


def _contacts(customer: dict[str, Any]) -> frozenset[str]:
    """What tells one customer from another: the digits of the number, the address in small letters."""
    digits = [sign for sign in (customer.get("phone") or "").replace("(0)", "") if sign.isdigit()]
    number = "".join(str(int(sign)) for sign in digits).lstrip("0")
    mail = "".join((customer.get("email") or "").split()).casefold()
    number = number[-9:]  # with or without the country
    known = (number if len(set(number)) > 1 else "", mail if "@" in mail.strip("@") else "")
    return frozenset(contact for contact in known if contact)


def _window(window: dict[str, Any]) -> tuple[float | None, float | None]:
    begins, ends = window.get("from"), window.get("to")
    return (begins and seconds(begins), ends and seconds(ends))


def _steps(answer: dict[str, Any]) -> Iterator[str]:
    times = answer.get("timestamps") or {}
    return (times[name] for name in ("created", "assigned", "picked_up") if times.get(name))


def _recorded(fix: dict[str, Any]) -> float | None:
    """By the device's clock; only held against its other fixes."""
    try:
        return seconds(fix["recorded_at"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _duty(asked: Any) -> Duty:
    on, on_break = (isinstance(asked, dict) and asked.get(name) is True for name in ("on", "on_break"))
    return "off" if not on else "on_break" if on_break else "on"


def _password(headers: Headers) -> str:
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(encoded).decode("utf-8", "replace")
    except ValueError:
        return ""


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def _message(text: str | bytes) -> Any:
    try:
        return msgspec.json.decode(text) if isinstance(text, str) else msgspec.msgpack.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError):
        return None


def seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
