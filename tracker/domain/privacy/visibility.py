"""Rules for what the customer of one order may see now."""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from tracker.domain.eta.estimate import Eta
from tracker.domain.order import ON_THE_ROAD, OPEN, Order, OrderStatus

VISIBLE_BEFORE_WINDOW: Final = timedelta(minutes=60)
STUCK_AFTER_ARRIVAL: Final = timedelta(hours=4)
STUCK_AFTER: Final = timedelta(hours=24)  # after the time window; without one, after the last status change
MINUTE: Final = timedelta(minutes=1)


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A threshold from which a field is visible; exactly one of the three is set."""

    stops: int | None = None
    """At most this number of stops of other orders before this dropoff."""
    eta_s: float | None = None
    """At most this number of seconds to go."""
    distance_m: float | None = None
    """At most this number of metres to go."""

    def __post_init__(self) -> None:
        limits = [value for value in (self.stops, self.eta_s, self.distance_m) if value is not None]
        if len(limits) != 1 or limits[0] < 0:
            raise ValueError("a rule has exactly one of stops, eta_s and distance_m, and none below zero")


Rule = Literal["always", "never"] | Limit
RuleOrRules = Rule | list[Rule]

DEFAULT_LIVE: Final[list[Rule]] = [Limit(stops=1), Limit(eta_s=1200)]


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule for each field, or several of which one suffices."""

    position: RuleOrRules = msgspec.field(default_factory=lambda: list(DEFAULT_LIVE))
    """When the customer sees the position."""
    route: RuleOrRules = msgspec.field(default_factory=lambda: list(DEFAULT_LIVE))
    """When the customer sees the route."""
    eta: RuleOrRules = "always"
    """When the customer sees the forecast arrival."""
    stops_before: RuleOrRules = "always"
    """When the customer sees the number of stops before theirs."""


class Circumstances(msgspec.Struct, frozen=True):
    """The state of an order that the rules depend on."""

    status: OrderStatus
    stops_before: int = 0
    eta_s: float | None = None  # forecast seconds to the dropoff
    distance_m: float | None = None  # metres to the dropoff
    near_other_dropoff: bool = False  # the driver is near another customer's dropoff, open or not yet left
    awaits_window: bool = False  # too early before the order's time window
    is_stuck: bool = False  # the order is open for too long
    is_working: bool = True  # the driver is on duty and not on a break


class VisibleFields(msgspec.Struct, frozen=True):
    """The fields that the customer may see."""

    position: bool
    route: bool
    eta: bool
    stops_before: bool
    exact: bool = True  # False: the ETA must not disclose how far away the driver is


NOTHING: Final = VisibleFields(position=False, route=False, eta=False, stops_before=False, exact=False)


def visible_fields(rules: Rules, now: Circumstances) -> VisibleFields:
    """Return the fields that this order's customer may see; none before the assignment or after the end."""
    if now.status not in ON_THE_ROAD:
        return NOTHING
    exact = now.is_working and not (now.near_other_dropoff or now.is_stuck)
    shows_position = exact and not now.awaits_window
    return VisibleFields(
        position=shows_position and _allowed(rules.position, now),
        route=shows_position and _allowed(rules.route, now),
        eta=not now.awaits_window and _allowed(rules.eta, now),
        stops_before=_allowed(rules.stops_before, now),
        exact=exact,
    )


def never_shows_position(order: Order) -> bool:
    """Return whether the merchant's rules keep the position from the customer at any time."""
    rule = order.visibility.get("position")
    return rule == "never" or (isinstance(rule, list) and all(each == "never" for each in rule))


def awaits_window(order: Order, stops_before: int, now: datetime) -> bool:
    """Return whether it is more than 60 minutes before the time window, too early to show the driver.

    An order that is picked up and is the next stop is exempt.
    """
    if order.window_from is None or now >= order.window_from - VISIBLE_BEFORE_WINDOW:
        return False
    return order.status is not OrderStatus.PICKED_UP or stops_before > 0


def stuck_at(order: Order, arrived_at: datetime | None) -> datetime:
    """Return when an order that is still open counts as stuck.

    *arrived_at* is when a driver reached the dropoff; before the latest assignment it was another one.
    The SQL statement `flag_stuck_orders` holds the same rule.
    """
    if arrived_at is not None and order.assigned_at is not None and arrived_at >= order.assigned_at:
        return arrived_at + STUCK_AFTER_ARRIVAL
    if order.window_to is not None:
        return order.window_to + STUCK_AFTER
    steps = (
        order.created_at,
        order.assigned_at,
        order.picked_up_at,
        order.window_from,
        order.attempt_at,
    )
    return max(step for step in steps if step is not None) + STUCK_AFTER


def is_stuck(order: Order, arrived_at: datetime | None, now: datetime) -> bool:
    """Return whether the order is open for so long that its driver probably does something else by now."""
    return order.status in OPEN and now >= stuck_at(order, arrived_at)


def coarse(eta: Eta) -> Eta:
    """Remove what would disclose the driver's position from a forecast: no distance, times in whole minutes.

    The interval only becomes wider.
    """
    if eta.arrives_at is None or eta.earliest is None or eta.latest is None:
        return msgspec.structs.replace(eta, distance_m=None)
    return msgspec.structs.replace(
        eta,
        arrives_at=_minute(eta.arrives_at + MINUTE / 2),
        earliest=_minute(eta.earliest),
        latest=_minute(eta.latest + MINUTE),
        distance_m=None,
    )


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _allowed(rules: RuleOrRules, now: Circumstances) -> bool:
    return any(_holds(rule, now) for rule in (rules if isinstance(rules, list) else [rules]))


def _holds(rule: Rule, now: Circumstances) -> bool:
    if not isinstance(rule, Limit):
        return rule == "always"
    if rule.stops is not None:
        return now.stops_before <= rule.stops
    if rule.eta_s is not None:
        return now.eta_s is not None and now.eta_s <= rule.eta_s
    return now.distance_m is not None and rule.distance_m is not None and now.distance_m <= rule.distance_m
