"""Visibility: what the customer of one order may see now. A pure function of rules and circumstances."""

from typing import Final, Literal

import msgspec

from tracker.domain.order import ON_THE_ROAD, OrderStatus

HIDING_RADIUS: Final = 100.0  # metres around another customer's open dropoff


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Visible from here on; exactly one of the three is given."""

    stops: int | None = None  # at most so many stops of other orders before this dropoff
    eta_s: float | None = None  # at most so many seconds to go
    distance_m: float | None = None  # at most so many metres to go

    def __post_init__(self) -> None:
        given = [value for value in (self.stops, self.eta_s, self.distance_m) if value is not None]
        if len(given) != 1 or given[0] < 0:
            raise ValueError("a rule has exactly one of stops, eta_s and distance_m, and none below zero")


Rule = Literal["always", "never"] | Limit
RuleOrRules = Rule | list[Rule]

DEFAULT_LIVE: Final[list[Rule]] = [Limit(stops=1), Limit(eta_s=1200)]


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule for each field, or several of which one suffices."""

    position: RuleOrRules = msgspec.field(default_factory=lambda: list(DEFAULT_LIVE))
    route: RuleOrRules = msgspec.field(default_factory=lambda: list(DEFAULT_LIVE))
    eta: RuleOrRules = "always"
    stops_before: RuleOrRules = "always"


class Circumstances(msgspec.Struct, frozen=True):
    """What the rules are held against."""

    status: OrderStatus
    stops_before: int = 0
    eta_s: float | None = None  # seconds to go, by the forecast
    distance_m: float | None = None  # metres to go
    near_other_dropoff: bool = False  # within HIDING_RADIUS of another customer's open one


class Visible(msgspec.Struct, frozen=True):
    """What may be shown."""

    position: bool
    route: bool
    eta: bool
    stops_before: bool


NOTHING: Final = Visible(position=False, route=False, eta=False, stops_before=False)


def visible(rules: Rules, now: Circumstances) -> Visible:
    """What of the driver this order's customer may see: nothing before the assignment or after the end."""
    if now.status not in ON_THE_ROAD:
        return NOTHING
    whereabouts = not now.near_other_dropoff
    return Visible(
        position=whereabouts and _allowed(rules.position, now),
        route=whereabouts and _allowed(rules.route, now),
        eta=_allowed(rules.eta, now),
        stops_before=_allowed(rules.stops_before, now),
    )


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
