"""Node: the resources of one server process, as the blueprints see them."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, cast

import msgspec
from quart import current_app

from tracker.live.admission import Admission

if TYPE_CHECKING:
    from tracker.config import Config
    from tracker.database import Database
    from tracker.domain.area import Area
    from tracker.eta.forecast_log import ForecastLog
    from tracker.live.fleet import Fleet
    from tracker.live.hub import Hub
    from tracker.map.addresses import AddressIndex
    from tracker.map.basemap import Basemap
    from tracker.map.extract import MapExtract
    from tracker.map.preparation import Preparation
    from tracker.metrics import Metrics
    from tracker.orders.lifecycle import OrderLifecycle
    from tracker.rate_limits import Allowances, Buckets
    from tracker.recorder import Recorder
    from tracker.routing import Router
    from tracker.tokens import LinkTokens


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One node's resources; opened and closed by `app`, global nowhere."""

    config: "Config"
    database: "Database"
    account: "ForecastLog"
    recorder: "Recorder"
    router: "Router"
    map_file: "MapExtract"
    basemap: "Preparation[Basemap]"
    addresses: "Preparation[AddressIndex]"
    area: Callable[[], "Area | None"]  # what the map covers; None while that is not known
    orders: "OrderLifecycle"
    fleet: "Fleet"
    hub: "Hub"
    link_tokens: "LinkTokens"
    note_rates: "Buckets"
    note_bodies: "Buckets"
    request_rates: "Allowances"
    fix_rates: "Allowances"
    wrong_guesses: "Buckets"
    metrics: "Metrics"
    now: Callable[[], datetime]
    sent_away: "Allowances"
    crowd: Admission = msgspec.field(default_factory=Admission)


def parts() -> Node:
    """The parts of the app that answers the present request."""
    return cast("Node", current_app.extensions["tracker"])
