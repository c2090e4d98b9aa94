"""Hostile requests, by chance and up to each endpoint's limit; `python -m tests.hostile` sends them.

All come from a seed. Each is bytes for a socket of its own: what is wrong with it may be its framing.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from time import monotonic
from typing import Any, Final

import httpx
import msgspec

from tests.faults.attackers import BINARY, FIN, TEXT, frame_head, how_it_ended, request
from tracker.api.merchant.driver_bodies import STOPS_BYTES
from tracker.api.merchant.order_bodies import ORDER_BYTES
from tracker.messages import FRAME_BYTES, NOTE_BYTES

ANSWERED_WITHIN: Final = 40.0  # seconds; a body that never ends is 408 after 30
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
SMALL: Final = 16_384
FEATURE: Final = {"geometry": {"coordinates": [24.94, 60.17]}, "properties": {"timestamp": "x", "speed": 1}}
ORDER: Final = {"pickup": {"lat": 60.1713, "lon": 24.9440}, "dropoff": {"lat": 60.1666, "lon": 24.9486}}
SOCKET_FOR: Final = 0.3  # seconds
SIDE_BY_SIDE: Final = 4
MARK: Final = "here"
HEADERS: Final = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Content-Type", "Cookie", "Forwarded"),
    *(
        "Idempotency-Key",
        "If-Modified-Since",
        "If-None-Match",
        "Last-Event-ID",
        "Origin",
        "Range",
        "User-Agent",
    ),
    *("X-Forwarded-For", "X-Forwarded-Host"),
)
VALUES: Final = ("a,", "a;q=0.1,", '"a",', "W/", "0-1,", "a=b; ", "1.2.3.4, ", "é", "=", "Basic ", '\\"')
QUERIES: Final = ("a&", "a=1&", "limit=1&", "%00=%ff&", ";", "cursor=9&", "at=%E2%98%83&")
SEGMENTS: Final = ("9", "%2F", "%00", "%C3%A4", "../", "a", "-1")


class Target(msgspec.Struct, frozen=True):
    """One endpoint: where it is, how long its bodies may be, and a body that it takes."""

    method: str
    path: str
    limit: int
    key: str  # as Authorization: Bearer; empty: none
    good: Any = None


class Targets(msgspec.Struct, frozen=True):
    """What of one service is attacked."""

    port: int
    bodies: list[Target]
    gets: list[Target]
    drivers: list[str]  # tokens
    links: list[str]


async def targets_of(http: httpx.AsyncClient, key: str) -> Targets:
    """Every endpoint of a service, which *http* reaches with an API key of all scopes."""
    drivers = [await _made(http, "/v1/drivers", {"name": "Aino", "vehicle": "car"}) for _ in range(20)]
    driver = drivers[0]
    orders = [await _made(http, "/v1/orders", {**ORDER, "driver_id": driver["id"]}) for _ in range(10)]
    token, of_order = driver["token"], f"/v1/orders/{orders[0]['id']}"
    stop = {"order_id": orders[0]["id"], "kind": "dropoff"}
    customer = {"name": "Ann", "phone": "+358 40 1", "email": "a@example.org"}
    order = {**ORDER, "customer": customer, "visibility": {"position": [{"stops": 1}]}}
    fix = {"recorded_at": "2026-11-22T10:00:00Z", "lat": 60.17, "lon": 24.94}
    bodies = [
        *(
            Target("POST", f"/v1/track/{_token_of(one)}/messages", SMALL, "", {"text": "Hi"})
            for one in orders
        ),
        Target("POST", "/v1/drivers/fixes", FRAME_BYTES, token, {"type": "fixes", "id": 1, "fixes": [fix]}),
        Target("POST", "/v1/drivers/fixes", FRAME_BYTES, "", {"type": "fixes", "id": 1, "fixes": [fix]}),
        Target(
            "POST", "/ingest/owntracks", 1_048_576, token, {"_type": "location", "tst": 1, "lat": 1, "lon": 2}
        ),
        Target("POST", "/ingest/osmand", 1_048_576, token, {"location": {"coords": {"latitude": 60.17}}}),
        Target("POST", "/ingest/osmand", SMALL, "", {"id": "x", "lat": 1}),
        Target("POST", "/ingest/overland", 2_097_152, token, {"locations": [FEATURE], "current": FEATURE}),
        Target(
            "POST", "/ingest/traccar", 1_048_576, key, {"position": {"speed": 1}, "device": {"uniqueId": "1"}}
        ),
        Target("POST", "/v1/drivers", SMALL, key, {"name": "", "vehicle": "car"}),
        Target("PUT", f"/v1/drivers/{driver['id']}/stops", STOPS_BYTES, key, {"stops": [stop]}),
        Target("POST", "/v1/orders", ORDER_BYTES, key, order | {"reference": 0}),
        Target("PATCH", of_order, ORDER_BYTES, key, order | {"reference": 0}),
        Target("POST", f"{of_order}/assign", SMALL, key, {"driver_id": "drv_nobody"}),
        Target("POST", f"{of_order}/status", SMALL, key, {"status": "no", "reason": "x", "at": "no"}),
        Target("POST", f"{of_order}/links", SMALL, key, {"expires_at": "1999-01-01T00:00:00Z"}),
        Target("POST", "/v1/routes", SMALL, key, {"places": [ORDER["pickup"]], "vehicle": "car"}),
    ]
    gets = [
        Target("GET", path, 0, key if path.startswith("/v1/orders") else "")
        for path in (
            *("/livez", "/docs", "/openapi.json", "/v1/nothing", "/tiles/5/1/1", "/static/x", "/"),
            *(f"/t/{_token_of(orders[1])}", f"/v1/track/{_token_of(orders[1])}"),
            *(f"/v1/track/{_token_of(orders[1])}/poll", f"/v1/track/{_token_of(orders[1])}/events"),
            *("/v1/orders", of_order, f"{of_order}/track", f"{of_order}/history", f"{of_order}/links"),
        )
    ]
    tokens, links = [one["token"] for one in drivers], [_token_of(one) for one in orders]
    return Targets(http.base_url.port or 80, bodies, gets, tokens, links)


async def _made(http: httpx.AsyncClient, path: str, body: object) -> Any:
    answer = await http.post(path, json=body)
    answer.raise_for_status()
    return answer.json()


def _token_of(order: Any) -> str:
    return str(order["tracking_url"]).rsplit("/", 1)[1]


# --- JSON


def _many(text: bytes) -> Callable[[int, Random], bytes]:
    return lambda size, dice: b"[" + text * max(1, (size - 4) // len(text)) + b"0]"


def _nested(size: int, dice: Random) -> bytes:
    begin, end = dice.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"":', b"}]")))
    depth = min(
        dice.choice((3, 31, 32, 33, 200, 900, 5_000, 10**6)), max(1, (size - 4) // (len(begin) + len(end)))
    )
    return begin * depth + b"0" + end * depth if dice.random() < 0.8 else begin * depth


def _names(size: int, dice: Random) -> bytes:
    return b"{" + b"".join(b'"%x":0,' % n for n in range(max(1, size // 9))) + b'"":0}'


def _one_name(size: int, dice: Random) -> bytes:
    return b"{" + b'"text":"a",' * max(1, size // 11) + b'"":0}'


def _long_name(size: int, dice: Random) -> bytes:
    """As in the first attack of this kind: one path for each value, each with the whole name."""
    return b'{"text":"a","%s":[%s0]}' % (b"k" * (size * 4 // 5), b"0," * (size // 11))


def _long_text(size: int, dice: Random) -> bytes:
    letter = dice.choice((b"x", "ä".encode(), "🚲".encode(), b"\\u0000", b"\\ud83d\\ude80", b'\\"', b"\\\\"))
    return b'"' + letter * max(1, size // len(letter)) + b'"'


def _number(size: int, dice: Random) -> bytes:
    digits = dice.choice((b"9", b"1", b"0"))
    return dice.choice((b"%s", b"-%s", b"0.%s", b"1e%s", b"1.%se-300")) % (digits * max(1, size - 10))


def _noise(size: int, dice: Random) -> bytes:
    return dice.randbytes(size)


SHAPES: Final[Sequence[Callable[[int, Random], bytes]]] = (
    *map(
        _many,
        (b"[],", b"{},", b'{"":0},', b'"",', b"0,", b"8.5e-320,", b"1.7e308,", b"null,", b'"[",', b"[[[]]],"),
    ),
    *(_nested, _names, _one_name, _long_name, _long_text, _number, _noise),
)


def json_bytes(size: int, dice: Random, good: Any) -> bytes:
    """Hostile JSON, alone or where a good body has one of its values, of *size* bytes or a little more."""
    hostile = dice.choice(SHAPES)(size, dice)
    if not isinstance(good, dict) or dice.random() < 0.4:
        return hostile
    bent = json.loads(json.dumps(good))
    place, name = bent, dice.choice(list(bent))
    while isinstance(place[name], dict) and dice.random() < 0.7:
        place, name = place[name], dice.choice(list(place[name]))
    place[name if dice.random() < 0.7 else "unknown"] = MARK
    return json.dumps(bent).encode().replace(json.dumps(MARK).encode(), hostile)


# --- HTTP


def http_bytes(targets: Targets, dice: Random) -> bytes:
    """One request whose body is hostile."""
    target = dice.choice(targets.bodies)
    size = int(target.limit * dice.choice((0.01, 0.3, 0.95, 0.95, 0.95, 1.1)))
    body = json_bytes(size, dice, target.good)[: int(target.limit * 1.2)]
    lines = [f"{target.method} {target.path} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    lines += [f"Authorization: Bearer {target.key}"] if target.key else []
    lines += ["Expect: 100-continue"] if dice.random() < 0.05 else []
    lines += [f"Idempotency-Key: {dice.random()}"] if dice.random() < 0.1 else []
    head = "\r\n".join([*lines, ""]).encode()
    if dice.random() < 0.7:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    step = dice.choice((1, 7, 500, 10_000)) if len(body) < 20_000 else dice.choice((50, 10_000))
    chunks = [
        b"%x\r\n%s\r\n" % (len(piece), piece)
        for n in range(0, len(body), step)
        if (piece := body[n : n + step])
    ]
    return head + CHUNKED + b"\r\n" + b"".join(chunks) + b"0\r\n\r\n"


def head_bytes(targets: Targets, dice: Random) -> bytes:
    """One request whose path, query string or headers are hostile, or that has a body nobody expects."""
    target, size = dice.choice(targets.gets), dice.choice((100, 4_000, 12_000, 15_500))
    method, path, host, body = "GET", target.path, "x", b""
    headers = [f"Authorization: Bearer {target.key}"] if target.key else []
    match dice.randrange(7):
        case 0:
            path += "?" + dice.choice(QUERIES) * (size // 9)
        case 1:
            path = path.rsplit("/", 1)[0] + "/" + dice.choice(SEGMENTS) * (size // 9)
        case 2:
            headers.append(f"{dice.choice(HEADERS)}: {dice.choice(VALUES) * (size // 9)}")
        case 3:
            headers += [f"{dice.choice('ab')}{n}: x" for n in range(size // 8)]
        case 4:
            body = dice.choice(SHAPES)(dice.choice((1_000, 300_000)), dice)
            headers.append(f"Content-Length: {len(body)}")
        case 5:
            headers += _upgrade(size, dice)
        case _:
            method = dice.choice(("GET", "HEAD", "OPTIONS", "TRACE", "X" * 500))
            host = dice.choice(("", "[", "x:99999", "é", "a," * (size // 2)))
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]
    said = "\r\n".join(lines).encode("latin1") + body
    return said * dice.choice((1, 1, 1, 50)) if len(said) < 1_000 else said


def _upgrade(size: int, dice: Random) -> list[str]:
    return [
        f"Upgrade: {dice.choice(('websocket', 'h2c', 'x' * size))}",
        "Connection: Upgrade, HTTP2-Settings",
        f"HTTP2-Settings: {dice.choice(('?', 'A', 'é', 'A' * size))}",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {dice.choice(('', 'é', 'A' * 22 + '==', 'A' * (size // 2)))}",
        f"Sec-WebSocket-Protocol: {dice.choice(('é', 'tracker.v1', 'a,' * (size // 4)))}",
        f"Sec-WebSocket-Extensions: {dice.choice(('é', 'permessage-deflate', 'a;b=c,' * (size // 20)))}",
    ]


# --- WebSockets


def socket_bytes(targets: Targets, dice: Random) -> tuple[bytes, bytes]:
    """A handshake, and then a hostile message, of a driver or of a customer."""
    binary = dice.random() < 0.5
    if dice.random() < 0.5:
        path, token, limit = "/v1/drivers/stream", dice.choice([*targets.drivers, ""]), FRAME_BYTES
    else:
        path, token, limit = f"/v1/track/{dice.choice(targets.links)}/stream", "", NOTE_BYTES
    protocol = b"\r\nSec-WebSocket-Protocol: tracker.v1" + (b".msgpack" if binary else b"")
    head = request(targets.port, path, token).removesuffix(b"\r\n\r\n") + protocol + b"\r\n\r\n"
    kind = dice.choice(("fixes", "hello", "message", "seen"))
    good = {"type": kind, "id": 1, "fixes": [], "text": "a", "token": "x", "cursor": ""}
    size = int(limit * dice.choice((0.1, 0.9, 0.9, 1.1)))
    said = _packed(size, dice) if binary else json_bytes(size, dice, good)
    return head, frame_head(FIN | (BINARY if binary else TEXT), len(said)) + said


def _packed(size: int, dice: Random) -> bytes:
    begin = dice.choice(
        (b"", b"\x83\xa4type\xa5fixes\xa2id\x01\xa5fixes", b"\x82\xa4type\xa7message\xa4text")
    )
    unit = dice.choice(
        (b"\x90", b"\x80", b"\x91", b"\xa0", b"\xc0", b"\xc4\x00", b"\xdc\xff\xff", b"\xcb" + bytes(8))
    )
    count = size // len(unit)
    length = dice.choice((count, count, 0, 2**16, 2**32 - 1, 2**28, 500, 501))
    return begin + b"\xdd" + length.to_bytes(4) + unit * count


# --- sending them


async def send(port: int, said: bytes, then: bytes = b"") -> str:
    """The status of the answer, or how it ended without one; after a handshake, how *then* was taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(said)
        async with asyncio.timeout(ANSWERED_WITHIN):
            while (line := await reader.readline()).startswith(b"HTTP/1.1 100"):
                await reader.readuntil(b"\r\n\r\n")
            if then and line.startswith(b"HTTP/1.1 101"):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(then)
                return f"socket {await how_it_ended(reader, SOCKET_FOR)}"
            return line[9:12].decode() or "closed"
    except ConnectionError:
        return "reset"
    except TimeoutError:
        return "nothing"
    finally:
        writer.transport.abort()


async def attack(targets: Targets, seed: str, enough: Callable[[int], bool]) -> Counter[str]:
    """Send hostile requests, a few side by side, until *enough* of how many were sent; count the answers."""
    dice, seen = Random(seed), Counter[str]()

    async def one_after_another() -> None:
        while not enough(seen.total()):
            make = dice.choices((http_bytes, head_bytes, socket_bytes), (8, 2, 1))[0]
            said = make(targets, dice)
            answer = await send(targets.port, *(said if isinstance(said, tuple) else (said,)))
            seen[answer] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(SIDE_BY_SIDE):
            group.create_task(one_after_another())
    return seen


async def _main() -> None:
    """Reads `Targets` from standard input; attacks for so many seconds; prints how it was answered."""
    with suppress(OSError):  # attackers have machines of their own: take what nobody else wants of this one
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    targets = msgspec.json.decode(sys.stdin.buffer.readline(), type=Targets)
    until = monotonic() + float(sys.argv[1])
    print(json.dumps(await attack(targets, sys.argv[2], lambda _: monotonic() > until)), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
