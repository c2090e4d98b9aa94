"""What a customer may see: the truth table."""

from datetime import UTC, datetime

import msgspec
import pytest

from tracker.domain.order import Order, OrderStatus, Place
from tracker.domain.privacy.visibility import (
    NOTHING,
    Circumstances,
    Limit,
    Rules,
    never_shows_position,
    visible_fields,
)

ON_THE_WAY = Circumstances(status=OrderStatus.PICKED_UP, eta_s=600.0, distance_m=2_000.0)


def rules(given: object) -> Rules:
    return msgspec.convert(given, Rules)


@pytest.mark.parametrize("status", ["created", "delivered", "failed", "cancelled"])
def test_nothing_before_the_assignment_or_after_the_end(status: str) -> None:
    """Even if every rule says always."""
    everything = rules({"position": "always", "route": "always"})
    assert visible_fields(everything, Circumstances(status=OrderStatus(status))) == NOTHING


@pytest.mark.parametrize(
    ("rule", "stops_before", "eta_s", "distance_m", "seen"),
    [
        ("always", 9, None, None, True),
        ("never", 0, 1.0, 1.0, False),
        ({"stops": 1}, 1, None, None, True),
        ({"stops": 1}, 2, None, None, False),
        ({"stops": 0}, 0, None, None, True),
        ({"eta_s": 300}, 5, 300.0, None, True),
        ({"eta_s": 300}, 0, 301.0, None, False),
        ({"eta_s": 300}, 0, None, None, False),
        ({"distance_m": 500}, 5, None, 500.0, True),
        ({"distance_m": 500}, 0, None, 501.0, False),
        ({"distance_m": 500}, 0, None, None, False),
        ([{"stops": 0}, {"eta_s": 60}], 3, 59.0, None, True),
        ([{"stops": 0}, {"eta_s": 60}], 3, 61.0, None, False),
        (["never", "always"], 3, None, None, True),
        ([], 0, 1.0, 1.0, False),
    ],
)
def test_each_rule_by_itself(
    rule: object, stops_before: int, eta_s: float | None, distance_m: float | None, *, seen: bool
) -> None:
    """One rule of a list suffices; an unknown value satisfies no limit."""
    now = Circumstances(
        status=OrderStatus.ASSIGNED, stops_before=stops_before, eta_s=eta_s, distance_m=distance_m
    )
    for field in ("position", "route", "eta", "stops_before"):
        assert getattr(visible_fields(rules({field: rule}), now), field) is seen


def test_the_defaults_hide_the_whereabouts_while_others_come_first() -> None:
    """Position and route are visible from one stop before or 20 minutes; the ETA always is."""
    far = msgspec.structs.replace(ON_THE_WAY, stops_before=2, eta_s=1_201.0)
    seen = visible_fields(Rules(), far)
    assert (seen.position, seen.route, seen.eta, seen.stops_before) == (False, False, True, True)
    assert visible_fields(Rules(), msgspec.structs.replace(far, eta_s=1_200.0)).position
    assert visible_fields(Rules(), msgspec.structs.replace(far, stops_before=1)).route


def test_near_another_customers_dropoff_nothing_of_the_whereabouts_is_seen() -> None:
    """Regardless of the rules."""
    seen = visible_fields(
        rules({"position": "always", "route": "always"}),
        msgspec.structs.replace(ON_THE_WAY, near_other_dropoff=True),
    )
    assert (seen.position, seen.route, seen.eta) == (False, False, True)


@pytest.mark.parametrize(
    "wrong", [{"stops": 1, "eta_s": 2}, {}, {"stops": -1}, {"metres": 4}, "sometimes", 7, {"stops": "1"}]
)
def test_a_rule_that_says_nothing_clear_is_refused(wrong: object) -> None:
    """A rule is exactly one limit, not below zero, or one of the two words."""
    with pytest.raises(msgspec.ValidationError):
        rules({"position": wrong})


def test_a_rule_is_told_as_it_was_given() -> None:
    """A merchant reads back the rule as sent."""
    assert msgspec.to_builtins(Limit(stops=1)) == {"stops": 1}


@pytest.mark.parametrize(
    ("rule", "never"),
    [("never", True), (["never"], True), ("always", False), (["never", {"stops": 1}], False), (None, False)],
)
def test_a_position_that_no_rule_ever_shows_is_known(rule: object, never: bool) -> None:
    """Only where each of the rules says never; without a rule the default shows it."""
    visibility = {} if rule is None else {"position": rule}
    place, now = Place(60.17, 24.94), datetime(2026, 11, 22, tzinfo=UTC)
    order = Order(id="ord_1", created_at=now, pickup=place, dropoff=place, visibility=visibility)
    assert never_shows_position(order) is never
