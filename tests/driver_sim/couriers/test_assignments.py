"""When a simulated courier is served."""

from datetime import UTC, datetime

import pytest

from driver_sim.couriers.assignments import opens_at
from tracker.domain.order import OrderStatus
from tracker.messages import AssignedOrder, WirePickup, WirePlace, WireWindow

READY = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
BEGIN = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize("waits", [True, False])
def test_a_courier_waits_for_the_order_and_for_its_window(waits: bool) -> None:
    """At the pickup until it is ready, at the dropoff until the window begins; without either not at all."""
    order = AssignedOrder(
        id="ord_1",
        reference=None,
        status=OrderStatus.ASSIGNED,
        pickup=WirePickup(60.17, 24.94, ready_at="2026-11-22T16:00:00.000Z" if waits else None),
        dropoff=WirePlace(60.18, 24.95),
        customer=None,
        window=WireWindow("2026-11-22T17:00:00.000Z", "2026-11-22T18:00:00.000Z") if waits else None,
    )
    assert opens_at(order, "pickup") == (READY if waits else None)
    assert opens_at(order, "dropoff") == (BEGIN if waits else None)
