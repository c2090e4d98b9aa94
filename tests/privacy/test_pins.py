"""The judge's search for PINs: a leak of every kind is found, and what only looks like one is none."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.privacy.exchanges import Exchange, Logged, Published, Record, Said, Unreadable
from tests.privacy.pins import OUTLIVED, TOLD_OTHERS
from tests.privacy.test_judge import HOME, NEIGHBOUR, TOKEN, Tale, begun

PIN = "4711"
OTHER = "link-of-ord_2"


def told(message: Any, *, path: str = "/v1/drivers/stream", packed: bool = False) -> Callable[[Tale], Record]:
    """A message on a socket."""
    text = msgspec.msgpack.encode(message) if packed else msgspec.json.encode(message).decode()
    return lambda tale: Said(tale.now, False, path, {}, text)


def answered(
    path: str, answer: bytes | Any, kind: str = "application/json", status: int = 200, **headers: str
) -> Callable[[Tale], Record]:
    """An answer over HTTP."""
    content = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
    return lambda tale: Exchange(
        *(
            "POST",
            path,
            {},
            tale.now,
            b"",
            status,
            {"content-type": kind, **_named(headers)},
            tale.now,
            content,
        )
    )


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def page(body: bytes, head: bytes = b"") -> bytes:
    snapshot = (
        b'<script type="application/json" id="snapshot">{"type":"snapshot","now":"%b","pin":"4711"}</script>'
    )
    at = b"1970-01-12T13:46:50Z"
    return b"<html><head>%b</head><body>%b</body>%b</html>" % (head, body, snapshot % at)


LEAKS: dict[str, Callable[[Tale], Record]] = {
    "to a driver": told({"type": "orders", "orders": [{"id": "ord_1", "pin": PIN}]}),
    "to a driver, in an error": told({"type": "error", "id": 1, "detail": "It is 4711, not 1234."}),
    "to a driver, as a number": told({"type": "orders", "orders": [{"id": "ord_1", "code": 4711}]}),
    "to a driver, as a key": told({"type": "orders", "tried": {"4711": True}}),
    "to a driver, packed": told({"type": "orders", "orders": [{"code": PIN}]}, packed=True),
    "to a driver, packed as a number": told({"type": "orders", "orders": [{"code": 4711}]}, packed=True),
    "to a merchant": answered("/v1/orders/ord_1", {"id": "ord_1", "pin": PIN}),
    "to a merchant, as a number": answered("/v1/orders/ord_1", {"requirements": {"dropoff": {"pin": 4711}}}),
    "in an answer to a proof": answered("/v1/orders/ord_1/proofs", {"id": "prf_1", "value": PIN}, status=201),
    "in a refusal": answered(
        "/v1/orders/ord_1/proofs", {"detail": "not 4711"}, "application/problem+json", 422
    ),
    "in the answer to a pairing": answered("/v1/drivers/pair", {"orders": [{"value": PIN}]}, status=201),
    "in CSV": answered(
        "/v1/orders/ord_1/track.csv", b"recorded_at,code\n2026-11-22T16:00:00Z,4711\n", "text/csv"
    ),
    "in GPX": answered("/v1/orders/ord_1/track.gpx", b"<gpx><name>4711</name></gpx>", "application/gpx+xml"),
    "in NDJSON": answered(
        "/v1/orders/ord_1/track.ndjson", b'{"a":1}\n{"code":"4711"}\n', "application/x-ndjson"
    ),
    "in HTML": answered("/drive", b"<p>Code: 4711</p>", "text/html; charset=utf-8"),
    "in MessagePack over HTTP": answered(
        "/v1/x", msgspec.msgpack.encode({"code": PIN}), "application/msgpack"
    ),
    "in a multipart answer": answered(
        "/v1/x", b"--x\r\n\r\n4711\r\n--x--", "multipart/form-data; boundary=x"
    ),
    "in a header": answered("/v1/orders/ord_1", {}, location="/v1/orders/ord_1/pins/4711"),
    "in a header for its customer": answered(f"/t/{TOKEN}", b"", "text/html", etag='"4711"'),
    "in a metric's label": answered("/metrics", b'tracker_wrong_pins_total{pin="4711"} 1.0\n', "text/plain"),
    "in a metric": answered("/metrics", b"tracker_last_pin 4711\n", "text/plain"),
    "in the log": lambda tale: Logged(tale.now, b'{"event":"proof_refused","value":"4711"}'),
    "in the log, as a number": lambda tale: Logged(tale.now, b'{"event":"proof_refused","value":4711}'),
    "in a log that is no JSON": lambda tale: Logged(tale.now, b"ValueError: 4711"),
    "to a broker": lambda tale: Published(tale.now, True, "tracker/drv_1/ack", b'{"tst":[1],"code":"4711"}'),
    "in a topic": lambda tale: Published(tale.now, True, "tracker/4711/ack", b"{}"),
    "on a broken line": lambda tale: Unreadable(tale.now, b"\x00 4711 \x00"),
    "to another customer": told(
        {"type": "update", "now": "1970-01-12T13:46:50Z", "code": PIN}, path=f"/v1/track/{OTHER}/stream"
    ),
    "to another customer, by polling": answered(
        f"/v1/track/{OTHER}/poll",
        {"messages": [{"type": "update", "now": "1970-01-12T13:46:50Z", "code": PIN}]},
    ),
    "to its customer, in another field": answered(
        f"/v1/track/{TOKEN}", {"type": "snapshot", "now": "1970-01-12T13:46:50Z", "order": {"code": PIN}}
    ),
    "in a link preview": answered(f"/t/{TOKEN}", page(b"", b"<meta content='Code 4711'>"), "text/html"),
    "in another customer's page": answered(f"/t/{OTHER}", b"<body>4711 <title>4711", "text/html"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found(leak: str) -> None:
    """In whatever the service says, and whether it says it before or after the customer reads it."""
    for early in (True, False):
        tale = begun()
        tale.order("ord_2", "assigned", "drv_2", NEIGHBOUR)
        if not early:
            tale.tells(pin=PIN)
        tale.records.append((tale.now, 2, LEAKS[leak](tale)))
        if early:
            tale.tells(pin=PIN)
        assert tale.broken() == [TOLD_OTHERS]


HONEST: dict[str, Callable[[Tale], Record]] = {
    "what its customer wrote": told({"type": "message", "order_id": "ord_1", "text": "My code is 4711"}),
    "a part of an id": told(
        {"type": "orders", "orders": [{"id": "ord_4711", "requirements": {"pin": True}}]}
    ),
    "a time and a number of a message": told({"type": "ack", "id": 4711, "now": "4711-11-22T16:00:00Z"}),
    "a measure": answered("/v1/orders/ord_1/eta", {"distance_m": 4711, "lat": 60.4711, "moving_s": 4711}),
    "a length": answered("/v1/orders/ord_1", {}, content_length="4711"),
    "a picture": answered("/v1/orders/ord_1/proofs/prf_1", b"\xff 4711 \xff", "image/jpeg"),
    "an example": answered("/openapi.json", {"example": {"pin": PIN}}),
    "its customer's page": answered(f"/t/{TOKEN}", page(b"<p>Code: <b>4711</b></p>"), "text/html"),
    "what a device published": lambda tale: Published(tale.now, False, "owntracks/drv_1/x", b'{"code":4711}'),
    "what a driver entered": lambda tale: Said(
        tale.now, True, "/v1/drivers/stream", {}, '{"type":"pin","value":"4711"}'
    ),
}


@pytest.mark.parametrize("words", HONEST)
def test_what_is_no_leak_is_allowed(words: str) -> None:
    """The PIN where it belongs, what clients say, and numbers that are something else."""
    tale = begun()
    tale.tells(pin=PIN)
    tale.records.append((tale.now, 2, HONEST[words](tale)))
    assert tale.broken() == []


def test_a_pin_that_no_customer_was_told_is_found_by_its_name() -> None:
    """And one that a driver entered by its digits."""
    tale = begun()
    tale.call("GET", "/v1/orders/ord_1", None, {"pin": "0042"})
    assert tale.broken() == [TOLD_OTHERS]
    for status, broken in ((201, [TOLD_OTHERS]), (422, [])):
        tale = begun()
        form = b'--x\r\nContent-Disposition: form-data; name="kind"\r\n\r\npin\r\n'
        form += b'--x\r\nContent-Disposition: form-data; name="value"\r\n\r\n4711\r\n--x--\r\n'
        tale.records.append(
            (
                tale.now,
                2,
                Exchange("POST", "/v1/orders/ord_1/proofs", {}, tale.now, form, status, {}, tale.now, b"{}"),
            )
        )
        tale.call("GET", "/v1/orders/ord_1/proofs", None, {"items": [{"value": "4711"}]})
        assert tale.broken() == broken


def test_one_customers_pin_is_none_of_anothers() -> None:
    """Not even in the field where their own one stands."""
    tale = begun()
    tale.order("ord_2", "assigned", "drv_2", NEIGHBOUR)
    tale.tells(pin=PIN)
    tale.tells(pin=PIN, link=OTHER)
    assert tale.broken() == [TOLD_OTHERS]


def ended(tale: Tale) -> None:
    tale.order("ord_1", "delivered", "drv_1", HOME, "/v1/orders/ord_1/status")


def tried_again(tale: Tale) -> None:
    tale.order("ord_1", "failed", "drv_1", HOME, "/v1/orders/ord_1/status")
    tale.order("ord_1", "assigned", "drv_1", HOME, "/v1/orders/ord_1/attempts")


@pytest.mark.parametrize("outlived", [ended, tried_again])
def test_a_pin_ends_with_its_order_or_attempt(outlived: Callable[[Tale], None]) -> None:
    """Its own customer reads it no more; a new attempt has another one."""
    tale = begun()
    tale.tells(pin=PIN)
    outlived(tale)
    tale.now += 10.0
    tale.tells(pin="0815" if outlived is tried_again else None)
    assert tale.broken() == []
    tale.tells(pin=PIN)
    assert tale.broken() == [OUTLIVED]
