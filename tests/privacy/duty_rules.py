"""Rules of duty: what no customer may be told of a driver who does not work, and what nobody may.

Off duty the service keeps nothing of a place. On a break customers keep their ETA and see no position.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final

import msgspec

from tests.privacy.exchanges import Exchange, Logged, Published, Record, Said
from tests.privacy.pins import STATIC, link_of, told_customers
from tests.privacy.places import Place
from tests.privacy.rules import BY_DEFAULT, NOTICED, POSITION_FIELDS, SHOWN_OFF, Case

DECIMAL: Final = re.compile(rb"-?\b\d{1,3}\.\d{4,}\b")
NEAR: Final = 0.000_006  # degrees: what rounding to 5 decimals may change
FOUND_OFF_DUTY: Final = "Nothing recorded off duty is shown, stored, exported or logged"


def nobody_works(case: Case) -> bool:
    """No whereabouts, and no distance, while the driver is off duty or on a break."""
    if not case.drivers or not all(_rests(case, driver.id) for driver in case.drivers):
        return False
    eta = case.message.get("eta") or {}
    is_coarse = eta.get("distance_m") is None or eta.get("basis") == "none"
    return case.tells(*POSITION_FIELDS) or not is_coarse


def it_was_recorded_at_rest(case: Case) -> bool:
    """What was recorded off duty or on a break is not shown later either."""
    drivers = case.drivers
    if not drivers or not all(driver.is_known for driver in drivers):
        return False
    return any(
        all(driver.duty.shown.times_near(place) is None for driver in drivers)
        and any(driver.duty.hidden.times_within(place, SHOWN_OFF) for driver in drivers)
        for place in case.places("position", "trail")
    )


def a_break_takes_the_eta(case: Case) -> bool:
    """A break leaves the customer their ETA."""
    if not case.drivers or not all(_has_a_break(case, driver.id) for driver in case.drivers):
        return False
    before, now = case.before.get("eta"), case.state.get("eta")
    is_promised = (BY_DEFAULT | case.order.rules)["eta"] == "always" and all(
        one.is_open and one.window == (None, None) for one in case.possible
    )
    return is_promised and _arrives(before) and not _arrives(now)


DUTY_RULES: Final[tuple[Callable[[Case], bool], ...]] = (
    nobody_works,
    it_was_recorded_at_rest,
    a_break_takes_the_eta,
)


def tells_of_off_duty(record: Record, secret: set[Place]) -> bool:
    """Whether the service says one of these places in a record, to anybody."""
    return bool(secret) and any(
        abs(place.lat - lat) < NEAR and abs(place.lon - lon) < NEAR
        for first, second in pairwise(_decimals(record))
        for lat, lon in ((first, second), (second, first))
        for place in secret
    )


def _decimals(record: Record) -> Iterator[float]:
    """The numbers with four decimals or more, in order: coordinates stand side by side in every format."""
    return (float(one) for one in DECIMAL.findall(_said(record)))


def _said(record: Record) -> bytes:
    """What the service says in a record, except pictures, programs, and routes: they may lead anywhere."""
    if link_of(record) is not None:
        told = ({**one, "route": None} for one in told_customers(record))
        return msgspec.json.encode(list(told))
    match record:
        case Exchange() if not record.answer_headers.get("content-type", "").startswith(STATIC):
            return " ".join(record.answer_headers.values()).encode() + b" " + record.answer
        case Said(by_client=False):
            text = record.text if isinstance(record.text, str) else _unpacked(record.text)
            return msgspec.json.encode(text)
        case Published(by_service=True):
            return record.topic.encode() + b" " + record.payload
        case Logged():
            return record.text
    return b""


def _unpacked(frame: bytes) -> Any:
    try:
        return msgspec.msgpack.decode(frame)
    except (msgspec.DecodeError, ValueError):
        return None


def _rests(case: Case, driver_id: str) -> bool:
    """Whether this driver has not worked for a moment now."""
    duty = case.story.drivers[driver_id].duty
    return "on" not in duty.possible(case.at) | duty.possible(case.at - NOTICED)


def _has_a_break(case: Case, driver_id: str) -> bool:
    duty = case.story.drivers[driver_id].duty
    return duty.possible(case.at) == {"on_break"}


def _arrives(eta: Any) -> bool:
    return bool(eta) and eta.get("arrives_at") is not None
