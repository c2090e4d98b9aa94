"""Peers: what the other nodes of the service ask and tell this one."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from tracker.errors import NotFound, RateLimited, StorageUnavailable
from tracker.live.board.board import Board
from tracker.live.changes import Changes
from tracker.live.drivers.connections import DriverConnections
from tracker.live.drivers.states import DriverStates
from tracker.live.drivers.trips import LiveTrips
from tracker.live.nodes.forecasts import Forecasts
from tracker.live.nodes.intake import FixIntake
from tracker.live.nodes.leases import Leases
from tracker.live.nodes.messages import (
    Answer,
    Done,
    DriverChanged,
    DriverConnected,
    DriverRevoked,
    Event,
    FleetFacts,
    ForwardedFixes,
    LinkRevoked,
    NotesErased,
    OrderChanged,
    Policies,
    Refused,
    ReleaseTrip,
    Request,
    SetDuty,
    ToDevices,
    TripOwned,
    Views,
    WantedEtas,
    WantedPolicies,
    Watch,
    WatchFleet,
)
from tracker.live.nodes.ownership import Ownership
from tracker.live.nodes.view_receiver import ViewReceiver
from tracker.live.nodes.view_sender import ViewSender
from tracker.live.views import LiveViews

log = structlog.get_logger()


class Peers:
    """Answers requests, and applies events, of other nodes."""

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        trips: LiveTrips,
        views: LiveViews,
        connections: DriverConnections,
        states: DriverStates,
        leases: Leases,
        ownership: Ownership,
        intake: FixIntake,
        board: Board,
        changes: Changes,
        forecasts: Forecasts,
        sender: ViewSender,
        receiver: ViewReceiver,
        run: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        """Create the peers. *run* runs work in the background."""
        self._trips, self._views, self._connections, self._states = trips, views, connections, states
        self._leases, self._ownership = leases, ownership
        self._intake, self._board, self._changes = intake, board, changes
        self._forecasts, self._sender, self._receiver, self._run = forecasts, sender, receiver, run

    async def answer(self, request: Request) -> Answer:
        """Carry a request out and return its answer."""
        match request:
            case ForwardedFixes():
                return await asyncio.shield(self._intake.answer_fixes(request))
            case ReleaseTrip():
                return await asyncio.shield(self._ownership.answer_release(request))
            case SetDuty():
                return await asyncio.shield(self._set_duty(request))
            case WantedEtas():
                return self._forecasts.answer(request)
            case WantedPolicies(driver_ids):
                owned = filter(self._leases.owns, driver_ids)
                lives = {driver_id: self._trips.get(driver_id) for driver_id in owned}
                return Policies({id_: live.policy_state.policy for id_, live in lives.items() if live})

    async def _set_duty(self, request: SetDuty) -> Answer:
        if not self._leases.owns(request.driver_id):
            return Refused("not_owner")
        try:
            await self._states.set_duty(request.driver_id, request.duty)
        except NotFound:
            return Refused("unknown")
        except RateLimited:
            return Refused("rate")
        except StorageUnavailable:
            return Refused("storage")
        return Done()

    def receive(self, event: Event) -> None:  # noqa: C901, PLR0912 - one case for each
        """Apply an event; what has to wait goes on in the background."""
        match event:
            case Views():
                for order_id in self._receiver.take(event):
                    self._run(self._apply(self._views.publish_order(order_id)))
            case Watch():
                self._run(self._apply(self._sender.watch(event)))
            case WatchFleet():
                self._board.watch(event)
            case FleetFacts():
                self._board.take(event)
            case OrderChanged(change):
                self._board.order_changed(change)
                self._run(self._apply(self._changes.apply(change, from_here=False)))
            case TripOwned(driver_id):
                self._run(self._apply(self._trip_moved(driver_id)))
            case LinkRevoked(link_id):
                self._views.end_link(link_id)
            case NotesErased(order_id):
                self._run(self._apply(self._views.drop_notes(order_id)))
            case DriverRevoked(driver_id, token_hash):
                if token_hash is None:
                    self._trips.forget(driver_id)
                    self._leases.forget(driver_id)
                    self._board.driver_revoked(driver_id)
                self._connections.revoke(driver_id, token_hash)
            case DriverChanged(driver_id):
                self._board.driver_changed(driver_id)
                self._run(self._apply(self._driver_changed(driver_id)))
            case DriverConnected(driver_id, role, since):
                self._connections.replace(driver_id, role, since)
            case ToDevices(driver_id, message):
                self._connections.push(driver_id, message)

    async def _apply(self, work: Coroutine[Any, Any, object]) -> None:
        """Await *work*. What the database prevents, the next poll of it heals."""
        try:
            await work
        except (StorageUnavailable, NotFound) as error:
            log.info("peer_event_delayed", why=type(error).__name__)
        except Exception as error:
            log.error("peer_event_failed", exc_info=error)

    async def _trip_moved(self, driver_id: str) -> None:
        """Follow the new owner of a trip, for the customers of this node."""
        self._ownership.lose(driver_id)
        for order_id in self._views.watched_orders_of(driver_id):
            self._receiver.stop(order_id)
            await self._views.publish_order(order_id)

    async def _driver_changed(self, driver_id: str) -> None:
        live = await self._trips.driver_changed(driver_id)
        if live is not None:
            self._trips.publish(live)
