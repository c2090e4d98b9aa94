"""Rules: what no customer may be told, as the interface says it, and by no code of the service.

What cannot be decided from outside is decided for the service: changes on their way allow what was and what
will be; places count as the driver's from 150 m on; rules of `eta_s`, `distance_m` and `stops` are judged by
what the same customer was told of them, with room for what changed since.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from tests.privacy.places import Place
from tests.privacy.story import OVER, Driver, Order, Standing, Story, seconds

HIDDEN_WITHIN: Final = 99.5  # metres of another customer's door: a hundred, less the rounding
WHEREABOUTS: Final = ("position", "route", "trail")
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
    state: dict[str, Any]  # with the message in it
    at: float  # when the service put it together, as it says itself
    order: Order
    possible: list[Standing]
    story: Story

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

    @property
    def drivers(self) -> list[Driver]:
        """Who may have been the order's driver then."""
        drivers = self.story.drivers
        return [drivers[one.driver_id] for one in self.possible if one.is_open and one.driver_id in drivers]


# --- the rules: each is true where the message breaks it


def nobody_carries_it(case: Case) -> bool:
    """Nothing of a driver before the assignment."""
    return not any(one.is_open or one.status in OVER for one in case.possible) and case.tells(
        *WHEREABOUTS, "driver", "eta"
    )


def it_is_over(case: Case) -> bool:
    """No whereabouts after the end."""
    return all(one.status in OVER for one in case.possible) and case.tells(*WHEREABOUTS)


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
    """Nothing within 100 m of another customer's open dropoff on the same trip."""
    doors = [
        standings[0].dropoff
        for other in case.others
        if (standings := other.possible(case.at))
        if all(_on_one_trip(one, standing) for one in case.possible for standing in standings)
        if all(standing.dropoff == standings[0].dropoff for standing in standings)
    ]
    return any(place.metres_to(door) < HIDDEN_WITHIN for place in case.places(*WHEREABOUTS) for door in doors)


def another_door_was_near(case: Case) -> bool:
    """What was driven past an open door is not shown later either."""
    drivers = case.drivers
    if len(drivers) != 1 or not drivers[0].is_known:
        return False
    spans = list(_open_doors(case, drivers[0].id))
    return any(
        place.metres_to(door) < HIDDEN_WITHIN and sure <= near[0] and near[1] <= until
        for place in case.places("position", "trail")
        if (near := drivers[0].seen.times_near(place)) is not None
        for door, sure, until in spans
    )


def a_rule_hides_it(case: Case) -> bool:
    """The order's own visibility."""
    rules = BY_DEFAULT | case.order.rules
    hidden = {field for field, rule in rules.items() if _certainly_hidden(rule, case.state)}
    if "position" in hidden:
        hidden.add("trail")
    return case.tells(*hidden)


def a_name_is_whole(case: Case) -> bool:
    """Of the driver's name the first only, wherever it stands."""
    names = [driver.name.split() for driver in case.drivers if driver.name.strip()]
    shown = (case.message.get("driver") or {}).get("name")
    if names and shown and shown not in {name[0] for name in names}:
        return True
    text, own = case.text, case.order.words
    return any(
        len(word) > 3 and word not in own and re.search(rf"\b{re.escape(word)}\b", text)
        for name in names
        for word in name[1:]
    )


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
    a_rule_hides_it,
    a_name_is_whole,
    another_order_is_told_of,
)


def _on_one_trip(one: Standing, other: Standing) -> bool:
    return one.is_open and other.is_open and one.driver_id == other.driver_id


def _open_doors(case: Case, driver_id: str) -> Iterator[tuple[Place, float, float]]:
    """Others' dropoffs on this driver's trip, and from when until when they were open for certain."""
    for other in case.others:
        for change, then in zip(other.changes, [*other.changes[1:], None], strict=False):
            if change.standing.is_open and change.standing.driver_id == driver_id:
                until = case.at if then is None else then.began
                yield change.standing.dropoff, change.sure + NOTICED, until - NOTICED


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
