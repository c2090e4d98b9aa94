"""Examples of the OpenAPI document, by type, media type and parameter."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tracker.api.answers import drivers, track_export
from tracker.api.docs.example_addresses import ADDRESS_EXAMPLES
from tracker.api.docs.example_brand import BRAND_EXAMPLES, CALENDAR
from tracker.api.docs.example_delivery import (
    CURSOR,
    DRIVER,
    DRIVER_ID,
    ETA,
    FIX,
    FIXES,
    FORECAST,
    HISTORY,
    LINK,
    LINK_ID,
    NEW_DRIVER,
    NEW_ORDER,
    NOW,
    OPENING,
    ORDER,
    ORDER_ID,
    PAIRING,
    PAIRING_CODE,
    PICKED_UP,
    PLACES,
    POSITION,
    PROOF,
    REPORT,
    ROUTE,
    SNAPSHOT,
    STOPS,
    TOKEN,
    TRACK_FIX,
    UNKNOWN_DRIVER,
)
from tracker.api.docs.example_dispatch import DISPATCH_EXAMPLES
from tracker.api.docs.example_events import DELIVERY, EVENT, NEW_WEBHOOK, WEBHOOK
from tracker.api.driver import me, phone_bodies
from tracker.api.driver import pairing as driver_pairing
from tracker.api.driver.proof_form import ProofForm
from tracker.api.errors import Problem, problem_type
from tracker.api.merchant import (
    driver_bodies,
    forecasts,
    history,
    links,
    map,
    order_bodies,
    orders,
    pairing_codes,
    responses,
)
from tracker.api.merchant.deliveries import attempts
from tracker.api.merchant.events import feed, webhook_bodies
from tracker.api.merchant.tracks import track
from tracker.api.monitoring import health
from tracker.api.tracking import notes, poll
from tracker.domain.tracks.fix import Fix
from tracker.messages import (
    Ack,
    Fixes,
    RejectedFix,
    Snapshot,
    WireDriver,
    WireEta,
)
from tracker.messages.orders import OrderAnswer
from tracker.messages.problems import ProblemDetails
from tracker.messages.proofs import WireProof
from tracker.phone_apps.pairing_links import gpslogger_profile
from tracker.phone_apps.setup import OwnTracksConfiguration

FEATURE: Final = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [24.9455, 60.1702]},
    "properties": {"timestamp": NOW, "horizontal_accuracy": 5.0, "speed": 4.0, "battery_level": 0.62},
}
EXAMPLES: Final[Mapping[Any, Any]] = {
    type_: msgspec.to_builtins(value)
    for type_, value in {
        # requests
        driver_bodies.NewDriver: {"name": "Aino Korhonen", "vehicle": "bicycle", "reference": "D-17"},
        driver_bodies.DriverChangeBody: {"vehicle": "scooter"},
        order_bodies.NewOrderBody: PLACES
        | {
            "reference": "1042",
            "customer": {"name": "Maija Virtanen", "phone": "+358 40 1234567"},
            "window": {"from": "2026-11-22T16:30:00Z", "to": "2026-11-22T17:00:00Z"},
            "instructions": "Ring twice, the bell is loud.",
            "metadata": {"shop": "12"},
            "requirements": {"dropoff": {"photo": True, "pin": True}},
        },
        order_bodies.NewOrdersBody: {
            "orders": [PLACES | {"reference": "1042"}, PLACES | {"driver_id": "drv_unknown"}]
        },
        order_bodies.OrderChangeBody: {"dropoff": {"address": "Kasarmikatu 36 B"}, "window": None},
        attempts.NewAttemptBody: {"driver_id": DRIVER_ID},
        order_bodies.AssignBody: {"driver_id": DRIVER_ID},
        order_bodies.StatusBody: {"status": "failed", "outcome": "not_home"},
        driver_bodies.DutyBody: {"on": True, "on_break": True},
        driver_bodies.StopsBody: {"stops": [{"order_id": ORDER_ID, "kind": "dropoff"}]},
        links.NewLinkBody: {"expires_at": "2026-11-22T20:00:00Z"},
        map.RouteRequest: {
            "places": [{"lat": 60.1713, "lon": 24.944}, {"lat": 60.1666, "lon": 24.9486}],
            "vehicle": "bicycle",
        },
        ProofForm: {"kind": "pin", "stop": "dropoff", "value": "4711", "at": "2026-11-22T16:43:00Z"},
        driver_pairing.PairBody: {"code": PAIRING_CODE},
        notes.NoteBody: {"text": "The bell is broken, please call."},
        Fixes | list[Fix]: FIXES,
        phone_bodies.OwnTracksMessage: {
            "_type": "location",
            "tst": 1_795_366_980,
            "lat": 60.1702,
            "lon": 24.9455,
            "acc": 5.0,
            "vel": 18.0,
            "cog": 90.0,
            "batt": 62.0,
        },
        phone_bodies.OverlandBatch: {"locations": [FEATURE]},
        phone_bodies.ForwardedPosition: {
            "position": {"fixTime": NOW, "latitude": 60.1702, "longitude": 24.9455, "speed": 10.0},
            "device": {"uniqueId": "350000000000001"},
        },
        # answers
        OrderAnswer: ORDER,
        responses.Page[OrderAnswer]: responses.Page([ORDER], CURSOR),
        orders.BulkAnswer: orders.BulkAnswer(
            [orders.BulkItem(201, order=NEW_ORDER), orders.BulkItem(422, problem=UNKNOWN_DRIVER)]
        ),
        drivers.DriverAnswer: DRIVER,
        responses.Page[drivers.DriverAnswer]: responses.Page([DRIVER], None),
        drivers.NewDriverAnswer: NEW_DRIVER,
        pairing_codes.PairingAnswer: PAIRING,
        driver_pairing.PairAnswer: driver_pairing.PairAnswer(
            WireDriver(DRIVER_ID, DRIVER.name, DRIVER.vehicle), NEW_DRIVER.token, NEW_DRIVER.setup
        ),
        OwnTracksConfiguration: NEW_DRIVER.setup.owntracks.configuration,
        responses.StopsAnswer: STOPS,
        responses.LinkAnswer: LINK,
        responses.Page[responses.LinkAnswer]: responses.Page([LINK], None),
        responses.Page[responses.OpenAnswer]: responses.Page([OPENING], CURSOR),
        WireEta: ETA,
        WireProof: PROOF,
        responses.Page[WireProof]: responses.Page([PROOF], None),
        history.HistoryAnswer: HISTORY,
        responses.Page[track_export.TrackFix]: responses.Page([TRACK_FIX], CURSOR),
        track.WhereAnswer: track.WhereAnswer(NOW, ORDER.status, POSITION),
        forecasts.ForecastsAnswer: forecasts.ForecastsAnswer([FORECAST], None, "2026-11-22T16:52:11.600Z"),
        forecasts.EtaReport: REPORT,
        **BRAND_EXAMPLES,
        webhook_bodies.NewWebhookBody: {
            "url": "https://shop.example/events",
            "events": ["order.delivered", "order.failed"],
        },
        webhook_bodies.WebhookChangeBody: {"enabled": True},
        webhook_bodies.SecretBody: {"overlap_s": 3600},
        webhook_bodies.RedeliverBody: {"event_id": EVENT.id},
        webhook_bodies.NewWebhookAnswer: NEW_WEBHOOK,
        webhook_bodies.WebhookAnswer: WEBHOOK,
        responses.Page[webhook_bodies.WebhookAnswer]: responses.Page([WEBHOOK], None),
        webhook_bodies.SecretAnswer: webhook_bodies.SecretAnswer(NEW_WEBHOOK.secret, NOW),
        webhook_bodies.TestAnswer: webhook_bodies.TestAnswer(EVENT.id),
        webhook_bodies.RedeliverAnswer: webhook_bodies.RedeliverAnswer(1),
        responses.Page[webhook_bodies.DeliveryAnswer]: responses.Page([DELIVERY], CURSOR),
        feed.EventsAnswer: feed.EventsAnswer([EVENT], "e1042"),
        map.RouteAnswer: ROUTE,
        Snapshot: SNAPSHOT,
        poll.PollAnswer: poll.PollAnswer([SNAPSHOT], "c1.42"),
        Ack: Ack(1, 1, 0, [RejectedFix(1, "in_the_future")]),
        me.MeAnswer: me.MeAnswer(
            driver=DRIVER,
            first_fix_at="2026-10-23T07:02:11.000Z",
            last_fix_at=NOW,
            fixes_kept_days=30,
            notes_kept_days=90,
            assignments=412,
            duty_intervals=[
                me.DutyIntervalAnswer("off", "2026-11-21T17:00:00.000Z", "2026-11-22T07:00:00.000Z")
            ],
        ),
        me.OpeningPage: me.OpeningPage([me.OpeningAnswer(NOW, ORDER_ID, "1042")], None),
        list[dict[str, Any]]: [],  # OwnTracks
        phone_bodies.OverlandReply: {"result": "ok"},
        health.Liveness: health.Liveness(),
        health.Readiness: health.Readiness(status="ready", degraded=["basemap"]),
        **ADDRESS_EXAMPLES,
        **DISPATCH_EXAMPLES,
        dict[str, Any]: {"info": {"title": "Tracker", "version": "0.2.0"}},
    }.items()
}

CREATED_EXAMPLES: Final[Mapping[Any, Any]] = {OrderAnswer: msgspec.to_builtins(NEW_ORDER)}

_CSV: Final = (
    ",".join(track_export.COLUMNS) + "\n2026-11-22T16:42:58.000Z,60.1692,24.9467,6,5.4,164,12,0.81,…\n"
)
MEDIA_EXAMPLES: Final[Mapping[str, Any]] = {
    "application/geo+json": {
        "schema": {"type": "object"},
        "example": {
            "type": "Feature",
            "geometry": {"type": "LineString", "coordinates": [[24.944, 60.1713], [24.9467, 60.1692]]},
            "properties": {"order_id": ORDER_ID, "coordTimes": [PICKED_UP, FIX.recorded_at]},
        },
    },
    "application/gpx+xml": {
        "schema": {"type": "string"},
        "example": '<?xml version="1.0" encoding="UTF-8"?><gpx version="1.1" creator="tracker">…</gpx>',
    },
    "text/calendar": {"schema": {"type": "string"}, "example": CALENDAR},
    "text/csv": {"schema": {"type": "string"}, "example": _CSV},
    "application/x-ndjson": {
        "schema": {"type": "string"},
        "example": msgspec.json.encode(TRACK_FIX).decode() + "\n",
    },
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'event: heartbeat\nid: c1.42\ndata: {"type":"heartbeat","cursor":"c1.42","now":"'
        + NOW
        + '"}\n\n',
    },
    driver_pairing.PROPERTIES: {
        "schema": {"type": "string"},
        "example": gpslogger_profile(NEW_DRIVER.setup.gpslogger),
    },
    "text/plain": {
        "schema": {"type": "string"},
        "example": 'tracker_fixes_total{result="stored"} 1042.0\n',
    },
}

_ID: Final = {"type": "string", "minLength": 1}
PATH_PARAMETERS: Final[Mapping[str, Any]] = {
    "order_id": {"description": "Id of the order.", "schema": _ID, "example": ORDER_ID},
    "driver_id": {"description": "Id of the driver.", "schema": _ID, "example": DRIVER_ID},
    "proof_id": {"description": "Id of the proof.", "schema": _ID, "example": PROOF.id},
    "code": {"description": "The pairing code.", "schema": _ID, "example": PAIRING_CODE},
    "driver_token": {"description": "Token of the driver.", "schema": _ID, "example": "tdt_example"},
    "link_id": {"description": "Id of the tracking link.", "schema": _ID, "example": LINK_ID},
    "webhook_id": {"description": "Id of the webhook.", "schema": _ID, "example": WEBHOOK.id},
    "token": {
        "description": "Token of the tracking link; no other credential.",
        "schema": _ID,
        "example": TOKEN,
    },
    "form": {
        "description": "Format of the track.",
        "schema": {"type": "string", "enum": list(me.MEDIA)},
        "example": "gpx",
    },
    "extension": {
        "description": "Format of the track.",
        "schema": {"type": "string", "enum": list(track.BY_ACCEPT.values())},
        "example": "gpx",
    },
}
QUERY_EXAMPLES: Final[Mapping[str, Any]] = {
    "limit": 50,
    "cursor": CURSOR,
    "status": "assigned,picked_up",
    "driver_id": DRIVER_ID,
    "reference": "1042",
    "from": "2026-11-22T00:00:00Z",
    "to": "2026-11-23T00:00:00Z",
    "bbox": "24.93,60.16,24.96,60.18",
    "simplify": 5.0,
    "include": "rejected",
    "at": NOW,
    "seed": 7,
    "q": "kasarmik. 36",
    "near": "60.17,24.94",
    "after": "e1041",
    "wait_s": 25.0,
    "visit": "Zk3v9QwX",
}


def problem_example(problem: Problem) -> Any:
    """Return the response of a problem as JSON values."""
    named: dict[str, Any] = {}
    if problem.code == "invalid-fields":
        named["errors"] = [{"field": "vehicle", "detail": "must be one of car, bicycle, scooter, foot"}]
    if problem.code == "forbidden-transition":
        named["allowed"] = ["delivered", "failed", "cancelled"]
    plain = ProblemDetails(problem_type(problem.code), problem.title, problem.status, problem.meaning)
    return msgspec.to_builtins(plain) | named
