"""Frames that no honest device sends: seeded nonsense, and messages bent in every place."""

import asyncio
import copy
import json
import random
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.service import Service, hear, say
from tracker.domain.tracks.fix import Fix

SAMPLES = [json.loads(path.read_bytes()) for path in Path("tests/samples").glob("from_driver.*.json")]
FRAMES = 500  # each
ALLOWED = {1000, 1002, 1003, 1007, 1009, 4000, 4001, 4009, 4103}  # how a wrong-doer may be sent away
NASTY: list[Any] = [
    None, True, -1, 0, 2**63, 2**64, -(2**63) - 1, 1e308, float("nan"), float("inf"), "", "\0", "\ud800",
    "x" * 300, [], {}, [[[]]], {"type": "fixes"}, "0000-00-00T00:00:00Z", "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "2026-11-22T12:00:00", 10**400, 1e-320, "١٢", "ord_' OR 1=1 --", "%00", "../../etc/passwd",
]  # fmt: skip
TEXTS = [
    "[" * 10_000 + "]" * 10_000,
    '{"type":' * 2_000 + "1" + "}" * 2_000,
    '{"type":"fixes","type":"status","id":1,"id":2,"fixes":[],"fixes":[{}]}',
    '{"type":"fixes","id":1,"fixes":[{"recorded_at":"2026-11-22T12:00:00Z","lat":1e309,"lon":24}]}',
    '{"type":"fixes","id":1,"fixes":[{"recorded_at":"2026-11-22T12:00:00Z","lat":%s,"lon":24}]}'
    % ("9" * 100_000),
    '{"type":"ping","n":"\\ud800"}',
    '{"type":"fixes","id":1,"fixes":[{"recorded_at":"\\ud800","lat":"\\udfff","lon":NaN}]}',
    '{"type":"fixes","id":1,"fixes":NaN}',
    "",
    "\0",
    "null",
    "0" * 1_000,
]


def bent(message: Any, dice: random.Random) -> Any:
    """The message with a few of its values, names or levels changed."""
    message = copy.deepcopy(message)
    for _ in range(dice.randint(1, 3)):
        place: Any = message
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = dice.choice(keys)
            if isinstance(place[key], dict | list) and place[key] and dice.random() < 0.7:
                place = place[key]
                continue
            match dice.randint(0, 3):
                case 0 if isinstance(place, dict):
                    del place[key]
                case 1 if isinstance(place, dict):
                    place[str(dice.choice(NASTY))[:20]] = copy.deepcopy(dice.choice(NASTY))
                case _:
                    place[key] = copy.deepcopy(dice.choice(NASTY))
            break
    return message


def frame(dice: random.Random, *, binary: bool) -> str | bytes:
    message = bent(dice.choice(SAMPLES), dice)
    if binary:
        packed = b""
        with suppress(TypeError, ValueError, OverflowError, msgspec.MsgspecError):
            packed = msgspec.msgpack.encode(message)
        torn = packed[: dice.randint(0, len(packed))] if dice.random() < 0.3 else packed
        return torn if dice.random() < 0.9 else dice.randbytes(dice.randint(0, 200))
    if dice.random() < 0.1:
        return dice.choice(TEXTS)
    text = json.dumps(message)
    return text[: dice.randint(0, len(text))] if dice.random() < 0.2 else text


async def abuse(service: Service, dice: random.Random, *, binary: bool) -> tuple[str, set[int]]:
    """Connects again and again, each time as another driver (one would soon have to wait), and sends what the
    dice say. The last one's token, and how they were sent away."""
    frames, codes = 0, set()
    protocol = "tracker.v1.msgpack" if binary else "tracker.v1"
    while frames < FRAMES:
        token = (await service.new_driver())["token"]
        with suppress(ConnectionClosed):
            async with service.drive(token, subprotocols=[protocol]) as device:
                listening = asyncio.create_task(device.wait_closed())
                while frames < FRAMES and not listening.done():
                    await device.send(frame(dice, binary=binary))
                    frames += 1
                    with suppress(TimeoutError):
                        await asyncio.wait_for(device.recv(), 0.02)
                listening.cancel()
        if device.close_code is not None:
            codes.add(int(device.close_code))
    return token, codes


@pytest.mark.parametrize("binary", [False, True], ids=["json", "msgpack"])
@pytest.mark.parametrize("seed", [20261122])
async def test_no_frame_disturbs_the_service(service: Service, seed: int, *, binary: bool) -> None:
    """Wrong-doers get named errors or a close code that blames them; the others notice nothing."""
    before = len(service.log.read_text())
    honest = await service.new_driver()
    longest = 0.0
    async with service.drive(honest["token"]) as courier:
        abusing = asyncio.create_task(abuse(service, random.Random(f"{seed} {binary}"), binary=binary))
        number = 0
        while not abusing.done():
            number, begun = number + 1, monotonic()
            fix = {"recorded_at": datetime.now(UTC).isoformat(), "lat": 60.17, "lon": 24.94}
            await say(courier, type="fixes", id=number, fixes=[fix])
            assert (await hear(courier, "ack"))["stored"] == 1
            longest = max(longest, monotonic() - begun)
            await asyncio.sleep(0.05)  # simulates the interval between fixes
    token, codes = await abusing
    assert codes <= ALLOWED
    assert longest < 1.5
    logged = service.log.read_text()[before:]
    assert "crash" not in logged
    assert "Traceback" not in logged
    await still_works(service, token)


async def still_works(service: Service, token: str) -> None:
    """The one who sent nonsense may come back and send something good."""
    async with asyncio.timeout(15):
        while True:
            with suppress(ConnectionClosed, InvalidStatus):
                async with service.drive(token) as device:
                    now = msgspec.to_builtins(Fix(datetime.now(UTC), 60.17, 24.94))
                    await say(device, type="fixes", id=1, fixes=[now])
                    assert (await hear(device, "ack"))["stored"] == 1
                    return


async def test_no_body_disturbs_the_service(service: Service) -> None:
    """The same by HTTP: 200 with names, 400, 413 or 422, and never our fault."""
    driver = await service.new_driver()
    headers = {"Authorization": f"Bearer {driver['token']}"}
    dice, seen = random.Random(7), set()
    for _ in range(400):
        said = frame(dice, binary=False)
        content = said.encode("utf-8", "surrogatepass") if isinstance(said, str) else said
        answer = await service.http.post("/v1/drivers/fixes", content=content, headers=headers)
        seen.add(answer.status_code)
    assert seen <= {200, 400, 413, 422}
    assert {200, 400, 422} <= seen
