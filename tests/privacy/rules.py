"""Rules: what no customer may be told, as the interface says it, and by no code of the service.

What cannot be decided from outside is decided for the service: changes on their way allow what was and what
will be; places count as the driver's from 150 m on; rules of `eta_s`, `distance_m` and `stops` are judged by
what the same customer was told of them, with room for what changed since.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final

import msgspec

from tests.privacy.places import Place, past
from tests.privacy.story import OVER, Change, Driver, Order, Standing, Story, seconds

HIDDEN_WITHIN: Final = 99.5  # metres of another customer's door: a hundred, less the rounding
POSITION_FIELDS: Final = ("position", "route", "trail")
OPEN_BEFORE: Final = 3_600.0  # seconds before its window an order is shown at the latest
FORGOTTEN: Final = (4 * 3_600.0, 24 * 3_600.0, 60.0)  # seconds from the arrival, from anything else, and room
AT_THE_DOOR: Final = 150.0  # metres: who was that near may have arrived
SHOWN_OFF: Final = 60.0  # metres from a fix to where it may be shown: on the street beside it
JUST_SAID: Final = 5.0  # seconds in which a fix may wait to be taken in
NOTICED: Final = 1.0  # seconds from a request on its way in to its taking effect, and between two clocks
ETA_ROOM: Final = 90.0  # seconds that a forecast may have changed since it was told
DISTANCE_ROOM: Final = 150.0  # metres, likewise
LIVE: Final = [{"stops": 1}, {"eta_s": 1200}]  # what holds where an order says nothing
BY_DEFAULT: Final[dict[str, Any]] = {
    "position": LIVE,
    "route": LIVE,
    "eta": "always",
    "stops_before": "always",
}


class Case(msgspec.Struct):
    """One message, and all that it is held against."""

    message: dict[str, Any]
    before: dict[str, Any]  # what the same customer knew before it
    state: dict[str, Any]  # with the message in it
    at: float  # when the service put it together, as it says itself
    order: Order
    possible: list[Standing]
    story: Story
    _doors: list[tuple[Place, float, float]] | None = None

    def places(self, *fields: str) -> Iterator[Place]:
        """Every place that the message tells of the driver."""
        for field in fields:
            value = self.message.get(field)
            if value and field == "position":
                yield Place.of(value)
            elif value:
                yield from (Place(lat, lon) for lon, lat in value["coordinates"])

    def tells(self, *fields: str) -> bool:
        return any(self.message.get(field) is not None for field in fields)

    @property
    def text(self) -> str:
        return msgspec.json.encode(self.message).decode()

    @property
    def others(self) -> list[Order]:
        """Orders that one of these drivers has, or had."""
        carried = [self.story.carried.get(driver.id, {}) for driver in self.drivers]
        return [order for orders in carried for order in orders.values() if order is not self.order]

    def door_times(self) -> list[tuple[Place, float, float]]:
        """Other customers' dropoffs on this driver's trip, and from when until when they hide for certain.

        One that is over, or taken away, does so until the driver says to be beyond.
        """
        if self._doors is None:
            self._doors = list(self._door_times())
        return self._doors

    def hidden_doors(self, at: float) -> list[Place]:
        return [door for door, sure, until in self.door_times() if sure <= at <= until]

    def _door_times(self) -> Iterator[tuple[Place, float, float]]:
        drivers = self.drivers
        if len(drivers) != 1 or not drivers[0].is_known:
            return
        for other in self.others:
            if other.is_of_one_customer_with(self.order):
                continue
            for change, then in zip(other.changes, [*other.changes[1:], None], strict=False):
                if change.standing.is_open and change.standing.driver_id == drivers[0].id:
                    until = self._hides_until(drivers[0], change.standing, then)
                    yield change.standing.dropoff, change.sure + NOTICED, until - NOTICED

    def _hides_until(self, driver: Driver, standing: Standing, then: Change | None) -> float:
        if then is None:
            return self.at + 2 * NOTICED
        if then.standing.is_open and then.standing.driver_id == driver.id:
            return then.began
        left = driver.seen.first_beyond(standing.dropoff, HIDDEN_WITHIN, then.began - NOTICED)
        return self.at + 2 * NOTICED if left is None else left

    @property
    def drivers(self) -> list[Driver]:
        """Who may have been the order's driver then."""
        drivers = self.story.drivers
        return [drivers[one.driver_id] for one in self.possible if one.is_open and one.driver_id in drivers]


# --- the rules: each is true where the message breaks it


def nobody_carries_it(case: Case) -> bool:
    """Nothing of a driver before the assignment."""
    return not any(one.is_open or one.status in OVER for one in case.possible) and case.tells(
        *POSITION_FIELDS, "driver", "eta"
    )


def it_is_over(case: Case) -> bool:
    """No whereabouts after the end."""
    return all(one.status in OVER for one in case.possible) and case.tells(*POSITION_FIELDS)


def somebody_else_was_there(case: Case) -> bool:
    """Never the former driver's whereabouts, nor anybody's but the driver's."""
    drivers = case.drivers
    if not drivers or not all(driver.is_known for driver in drivers):
        return False
    return any(
        all(driver.seen.times_near(place) is None for driver in drivers)
        for place in case.places("position", "trail")
    )


def it_was_before_the_assignment(case: Case) -> bool:
    """A trail begins with the driver's place at the assignment, and not earlier."""
    drivers = case.drivers
    if len(drivers) != 1 or not drivers[0].is_known:
        return False
    given = case.order.given(drivers[0].id, case.at)
    if given is None:
        return False
    begins = drivers[0].seen.newest_before(given) or given
    return any(
        (near := drivers[0].seen.times_near(place)) is not None and near[1] < min(begins, given - NOTICED)
        for place in case.places("trail")
    )


def another_door_is_near(case: Case) -> bool:
    """Nothing within 100 m of another customer's dropoff on the same trip, open or not yet left."""
    doors = case.hidden_doors(case.at)
    return any(
        place.metres_to(door) < HIDDEN_WITHIN for place in case.places(*POSITION_FIELDS) for door in doors
    )


def another_door_was_near(case: Case) -> bool:
    """What was driven past a hidden door is not shown later either."""
    return any(
        _was_driven(case, place, sure, until)
        for door, sure, until in case.door_times()
        for place in case.places("position", "trail")
        if place.metres_to(door) < HIDDEN_WITHIN
    )


def a_line_leads_past_a_door(case: Case) -> bool:
    """No straight piece of a trail leads past a door that was hidden while it was driven."""
    trail = list(case.places("trail"))
    return any(
        past(begin, end, door) < HIDDEN_WITHIN - 1.0
        and _was_driven(case, begin, sure, until)
        and _was_driven(case, end, sure, until)
        for door, sure, until in case.door_times()
        for begin, end in pairwise(trail)
    )


def a_distance_tells_where_a_door_is(case: Case) -> bool:
    """No distance while the driver is within 100 m of such a door."""
    eta = case.message.get("eta")
    if not eta or eta.get("distance_m") is None or len(case.drivers) != 1 or not case.drivers[0].is_known:
        return False
    at = seconds(eta["computed_at"])
    perhaps = case.drivers[0].seen.perhaps_at(at + NOTICED, JUST_SAID)
    return bool(perhaps) and any(
        all(place.metres_to(door) < HIDDEN_WITHIN for place in perhaps) for door in case.hidden_doors(at)
    )


def it_is_too_early(case: Case) -> bool:
    """Nothing of the driver and no ETA more than an hour before the window, unless fetched and next."""

    def waits(one: Standing) -> bool:
        begins, fetched = one.window[0], one.status == "picked_up"
        if begins is None or case.at >= begins - OPEN_BEFORE - NOTICED:
            return False
        return not fetched or (case.state.get("stops_before") or 0) > 0

    return all(waits(one) for one in case.possible) and case.tells(*POSITION_FIELDS, "eta")


def nobody_closed_it(case: Case) -> bool:
    """No whereabouts for an order that was open for too long."""
    after_arrival, after_all, room = FORGOTTEN
    drivers = case.drivers
    if len(drivers) != 1 or not drivers[0].is_known:
        return False

    def is_forgotten(one: Standing) -> bool:
        steps = one.window[1] or max(one.stepped, one.window[0] or 0.0)
        there = drivers[0].seen.times_within(one.dropoff, AT_THE_DOOR)
        arrived = max(there) + after_arrival if there else 0.0
        return case.at > max(steps + after_all, arrived) + room

    return all(one.is_open and is_forgotten(one) for one in case.possible) and case.tells(*POSITION_FIELDS)


def a_rule_hides_it(case: Case) -> bool:
    """The order's own visibility."""
    rules = BY_DEFAULT | case.order.rules
    hidden = {field for field, rule in rules.items() if _certainly_hidden(rule, case.state)}
    if "position" in hidden:
        hidden.add("trail")
    return case.tells(*hidden)


def a_name_is_whole(case: Case) -> bool:
    """Of the driver's name the first only, wherever it stands."""
    names = [each for driver in case.drivers for each in driver.names]
    shown = (case.message.get("driver") or {}).get("name")
    if (
        names
        and shown
        and not any(shown in {first(name), (displayed or "")[:20]} for name, displayed in names)
    ):
        return True
    text, own = case.text, {*case.order.words, *(word for _, name in names for word in (name or "").split())}
    return any(
        len(word) > 3 and word not in own and re.search(rf"\b{re.escape(word)}\b", text)
        for name, _ in names
        for word in re.split(r"[\s,]+", name)
        if word and word != first(name)
    )


def first(name: str) -> str:
    """The first name of a person, as far as the tests' own drivers have titles or their last name first."""
    given = name.partition(",")[2] or name
    return next((word for word in given.split() if word not in {"Dr.", "Prof.", "Herr", "Frau"}), "")


def another_order_is_told_of(case: Case) -> bool:
    """Never another customer's stops: no address and no number of an order on the same trip."""
    text, own = case.text, case.order.words
    return any(
        word not in own and word in text
        for other in case.others
        if any(_on_one_trip(one, standing) for one in case.possible for standing in other.possible(case.at))
        for word in [other.reference, *(standing.address for standing in other.possible(case.at))]
        if word and len(word) > 3
    )


RULES: Final[tuple[Callable[[Case], bool], ...]] = (
    nobody_carries_it,
    it_is_over,
    somebody_else_was_there,
    it_was_before_the_assignment,
    another_door_is_near,
    another_door_was_near,
    a_line_leads_past_a_door,
    a_distance_tells_where_a_door_is,
    it_is_too_early,
    nobody_closed_it,
    a_rule_hides_it,
    a_name_is_whole,
    another_order_is_told_of,
)


def _on_one_trip(one: Standing, other: Standing) -> bool:
    return one.is_open and other.is_open and one.driver_id == other.driver_id


def _was_driven(case: Case, place: Place, sure: float, until: float) -> bool:
    """Whether the driver was there in this time for certain, and in no other."""
    times = case.drivers[0].seen.times_within(place, SHOWN_OFF)
    return bool(times) and sure <= min(times) and max(times) <= until


def _certainly_hidden(rules: Any, state: dict[str, Any]) -> bool:
    """Whether none of the rules can hold, by what the customer knows themselves."""
    return all(_certainly_fails(rule, state) for rule in (rules if isinstance(rules, list) else [rules]))


def _certainly_fails(rule: Any, state: dict[str, Any]) -> bool:
    if not isinstance(rule, dict):
        return bool(rule == "never")
    eta, stops = state.get("eta"), state.get("stops_before")
    if "stops" in rule:
        return stops is not None and stops > rule["stops"]
    if eta is None or eta["stale"]:
        return False
    if "eta_s" in rule and eta["arrives_at"] is not None:
        to_go = seconds(eta["arrives_at"]) - seconds(eta["computed_at"])
        return bool(to_go > rule["eta_s"] + ETA_ROOM)
    return eta["distance_m"] is not None and eta["distance_m"] > rule.get("distance_m", 1e9) + DISTANCE_ROOM
