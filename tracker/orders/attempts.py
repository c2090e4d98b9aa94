"""Further attempts: a failed order starts again, with the same id and tracking links."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from tracker.database import Connection
from tracker.database import orders as rows
from tracker.database.eta.forecasts import insert_errors
from tracker.database.events import timeline
from tracker.database.events.milestones import reset_progress
from tracker.domain.order import Order, OrderStatus
from tracker.domain.order_rules import require_order
from tracker.errors import Conflict
from tracker.orders import steps
from tracker.orders.proofs import with_pin


class NewAttempt(NamedTuple):
    """What a merchant says about a further attempt."""

    driver_id: str | None = None  # None: nobody is assigned
    window_from: datetime | None = None
    window_to: datetime | None = None


async def restart(connection: Connection, order_id: str, new: NewAttempt, now: datetime) -> Order:
    """Set a failed order back to `created`, or assign it, inside the caller's transaction; return it.

    Nothing of the earlier attempts counts any more: no proof, milestone, PIN or window. The errors of its
    forecasts are computed first, while their attempt is the present one.

    Raises NotFound, Conflict, InvalidFields for an unknown driver.
    """
    order = require_order(await rows.lock_order(connection, order_id))
    if order.status is not OrderStatus.FAILED:
        raise Conflict(f"The order is {order.status}; only a failed order takes a further attempt.")
    last = (await timeline.select_last_entry_times(connection, order_id)).status_at
    await insert_errors(connection, 1, [order_id])
    at = max(now, last)
    restarted = msgspec.structs.replace(
        order,
        status=OrderStatus.CREATED,
        attempt=order.attempt + 1,
        attempt_at=at,
        driver_id=None,
        window_from=new.window_from,
        window_to=new.window_to,
        **dict.fromkeys(("assigned_at", "picked_up_at", "failed_at", "closed_at")),
        proofs=(),
    )
    order = await steps.store(connection, with_pin(restarted))
    await reset_progress(connection, order_id)
    await timeline.insert_timeline(connection, order_id, at, "attempt", {"attempt": order.attempt})
    return order if new.driver_id is None else await steps.assign_to(connection, order, new.driver_id, at)
