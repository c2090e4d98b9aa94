"""The objects in the examples: one order that one driver delivers in central Helsinki."""

from typing import Any, Final

import msgspec

from tracker.api.answers import drivers, track_export
from tracker.api.errors import details
from tracker.api.merchant import forecasts, history, map, pairing_codes, responses
from tracker.api.merchant.tracks.summary import Summary
from tracker.domain.geo import LonLat
from tracker.domain.order import Driver, OrderStatus
from tracker.domain.privacy.visibility import Rules
from tracker.domain.proof import Requirements, StopRequirements
from tracker.errors import FieldError, InvalidFields
from tracker.messages import (
    LineString,
    Position,
    Snapshot,
    TrackedDriver,
    TrackedOrder,
    WireEta,
    WirePickup,
    WirePlace,
    WireWindow,
)
from tracker.messages.orders import CustomerAnswer, OrderAnswer
from tracker.messages.proofs import WireProof
from tracker.phone_apps.pairing_links import pairing_links
from tracker.phone_apps.setup import setup_for

BASE: Final = "https://track.example.com"
ORDER_ID: Final = "ord_2Yc7wVdMvJ1bQeQ0sT5hXg"
DRIVER_ID: Final = "drv_9mXk3TzRq8uLw1bNf6YcAe"
LINK_ID: Final = "lnk_4hPz7sDqWv2mKc9xRt0EuA"
TOKEN: Final = "q3Rk8ZtV1xWm5Yb7Lc2NfA"
DRIVER_TOKEN: Final = "trk_0123456789abcdefghijkl"
CURSOR: Final = "5b313736333833313932303235303030302c226f7264225d"
CREATED: Final = "2026-11-22T16:20:00.000Z"
PICKED_UP: Final = "2026-11-22T16:41:07.312Z"
NOW: Final = "2026-11-22T16:43:00.250Z"

ETA: Final = WireEta(
    "2026-11-22T16:52:30.000Z",
    "2026-11-22T16:50:10.000Z",
    "2026-11-22T16:55:40.000Z",
    1843.2,
    0,
    NOW,
    "route",
    False,
)
PICKUP: Final = WirePickup(60.1713, 24.944, "Rautatientori 1", 120.0, "Europe/Helsinki")
DROPOFF: Final = WirePlace(60.1666, 24.9486, "Kasarmikatu 36", None, "Europe/Helsinki")
WINDOW: Final = WireWindow("2026-11-22T16:30:00.000Z", "2026-11-22T17:00:00.000Z")
TIMESTAMPS: Final = {"created": CREATED, "assigned": "2026-11-22T16:25:12.004Z", "picked_up": PICKED_UP}
ORDER: Final = OrderAnswer(
    id=ORDER_ID,
    reference="1042",
    status=OrderStatus.PICKED_UP,
    created_at=CREATED,
    driver_id=DRIVER_ID,
    pickup=PICKUP,
    dropoff=DROPOFF,
    customer=CustomerAnswer("Maija Virtanen", "+358 40 1234567", "maija@example.com", "fi"),
    window=WINDOW,
    eta=ETA,
    tracking_url=f"{BASE}/t/{TOKEN}",
    timestamps=TIMESTAMPS,
    visibility=Rules(),
    version=3,
    instructions="Ring twice, the bell is loud.",
    customer_instructions=None,
    rating=None,
    contact=None,
    metadata={"shop": "12"},
    requirements=Requirements(dropoff=StopRequirements(photo=True)),
    attempt=1,
    late_s=0,
)
NEW_ORDER: Final = msgspec.structs.replace(
    ORDER,
    status=OrderStatus.CREATED,
    driver_id=None,
    eta=None,
    timestamps={"created": CREATED},
    version=1,
    late_s=None,
)
UNKNOWN_DRIVER: Final = details(InvalidFields([FieldError("driver_id", "must be the id of a driver")]))
FIX: Final = drivers.FixAnswer(
    "2026-11-22T16:42:58.000Z", 60.1692, 24.9467, 6.0, 5.4, 164.0, 12.0, 0.81, "2026-11-22T16:42:58.412Z"
)
DRIVER: Final = drivers.DriverAnswer(
    DRIVER_ID,
    "Aino Korhonen",
    None,
    "bicycle",
    "D-17",
    "2026-11-02T07:58:00.000Z",
    True,
    FIX,
    [ORDER_ID],
    duty=drivers.DutyAnswer(on=True, on_break=False, since="2026-11-22T07:00:00.000Z"),
    device=drivers.DeviceAnswer(
        reported_at="2026-11-22T16:42:30.000Z",
        battery=0.81,
        battery_low=False,
        charging=False,
        permission="always",
        location_services=True,
        power_saving=False,
        network="mobile",
        app="Courier 1.2",
    ),
    silence=None,
)
_NEW_DRIVER: Final = msgspec.convert(
    {name: getattr(DRIVER, name) for name in ("id", "name", "display_name", "vehicle", "reference")}
    | {"number": 1, "created_at": DRIVER.created_at},
    Driver,
)
NEW_DRIVER: Final = drivers.NewDriverAnswer(
    id=DRIVER_ID,
    name=DRIVER.name,
    display_name=None,
    vehicle=DRIVER.vehicle,
    reference=DRIVER.reference,
    created_at=DRIVER.created_at,
    token=DRIVER_TOKEN,
    setup=setup_for(_NEW_DRIVER, DRIVER_TOKEN, base=BASE, mqtt_url=None),
)
PAIRING_CODE: Final = "7K3QM-X9RTB"
_LINKS: Final = pairing_links(BASE, PAIRING_CODE)
PAIRING: Final = pairing_codes.PairingAnswer(PAIRING_CODE, _LINKS.page, "2026-11-22T16:58:00.250Z", _LINKS)
LINK: Final = responses.LinkAnswer(LINK_ID, f"{BASE}/t/{TOKEN}", CREATED, None, None, 2, NOW)
PROOF: Final = WireProof("prf_6wTz3hKpXr9vLq2sNd8YbE", "photo", "dropoff", NOW, 12.4, None, True)
OPENING: Final = responses.OpenAnswer(NOW, "ws", "192.0.2.0/24", "Safari on iOS")
STOPS: Final = responses.StopsAnswer(
    [responses.StopAnswer(ORDER_ID, "dropoff", DROPOFF.lat, DROPOFF.lon, None)]
)
TRACK_FIX: Final = track_export.TrackFix(
    **{name: getattr(FIX, name) for name in drivers.FixAnswer.__struct_fields__}
)
POSITION: Final = Position(FIX.lat, FIX.lon, FIX.heading, FIX.speed, FIX.accuracy, FIX.recorded_at)
SNAPSHOT: Final = Snapshot(
    cursor="c1.42",
    now=NOW,
    order=TrackedOrder(ORDER.status, ORDER.reference, TIMESTAMPS, DROPOFF, WINDOW),
    driver=TrackedDriver("Aino", "bicycle"),
    position=POSITION,
    eta=ETA,
    stops_before=0,
    route=LineString.of([LonLat(24.9467, 60.1692), LonLat(24.9486, 60.1666)]),
    trail=LineString.of([LonLat(24.944, 60.1713), LonLat(24.9467, 60.1692)]),
    visibility="live",
    freshness="live",
)
FORECAST: Final = forecasts.ForecastAnswer(
    computed_at=NOW,
    arrives_at="2026-11-22T16:52:30.000Z",
    earliest="2026-11-22T16:50:10.000Z",
    latest="2026-11-22T16:55:40.000Z",
    distance_m=1843.2,
    stops_before=0,
    basis="route",
    stale=False,
    last_fix_at=FIX.recorded_at,
    progress_m=612.5,
    error_s=18.4,
    held=True,
)
ERRORS: Final[dict[str, Any]] = {
    "forecasts": 412,
    "mae_s": 61.2,
    "mape": 0.113,
    "bias_s": -4.8,
    "coverage": 0.81,
    "width_s": 188.0,
}
REPORT: Final = forecasts.EtaReport(
    from_="2026-11-15T00:00:00.000Z",
    to="2026-11-22T00:00:00.000Z",
    orders=37,
    overall=forecasts.ErrorRow(**ERRORS),
    buckets={"0-2": forecasts.ErrorRow(**ERRORS)},
    hours=[forecasts.HourRow(hour=16, **ERRORS)],
    drivers=[forecasts.DriverRow(driver_id=DRIVER_ID, **ERRORS)],
)
HISTORY: Final = history.HistoryAnswer(
    ORDER,
    [
        history.TimelineRow(at=CREATED, kind="created"),
        history.TimelineRow(at=TIMESTAMPS["assigned"], kind="assigned", driver_id=DRIVER_ID),
        history.TimelineRow(at=PICKED_UP, kind="picked_up", driver_id=DRIVER_ID),
        history.TimelineRow(
            at=NOW, kind="message", from_="customer", text="The bell is broken, please call."
        ),
    ],
    None,
    Summary(612.5, 340.0, 295.0, 68, 1, "2026-11-22T16:37:18.000Z", FIX.recorded_at),
    {f"track.{form}": f"{BASE}/v1/orders/{ORDER_ID}/track.{form}" for form in ("geojson", "gpx", "csv")},
)
ROUTE: Final = map.RouteAnswer(
    [
        map.WireLeg(
            LineString.of([LonLat(24.944, 60.1713), LonLat(24.9486, 60.1666)]),
            620.4,
            148.9,
            [map.WireEdge(0, 1, 620.4, 148.9, "residential", True)],
        )
    ]
)
PLACES: Final = {
    "pickup": {"lat": 60.1713, "lon": 24.944, "address": "Rautatientori 1", "service_s": 120},
    "dropoff": {"lat": 60.1666, "lon": 24.9486, "address": "Kasarmikatu 36"},
}
FIXES: Final = {
    "id": 1,
    "fixes": [{"recorded_at": FIX.recorded_at, "lat": FIX.lat, "lon": FIX.lon, "speed": 5.4}],
}
