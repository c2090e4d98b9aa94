"""The ingest rules at the wire: what is believed, what a driver is told, and what a customer sees of it."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.service import Service, hear, say, token_of

HOUR = 3_600.0


def fix(seconds_ago: float = 0.0, **more: object) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return {"recorded_at": at.isoformat(), "lat": 60.17, "lon": 24.94, "accuracy": 5, **more}


async def on_the_road(service: Service) -> tuple[Any, Any]:
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], visibility={"position": "always", "route": "always"})
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
    return driver, order


async def seen(service: Service, order: Any) -> Any:
    return await service.get(f"/v1/track/{token_of(order)}")


async def sent(courier: Any, number: int, *fixes: dict[str, Any]) -> Any:
    await say(courier, type="fixes", id=number, fixes=list(fixes))
    return await hear(courier, "ack", "error")


def age(position: Any) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(position["recorded_at"])).total_seconds()


async def test_after_a_break_the_live_view_is_right_with_the_first_message(service: Service) -> None:
    """The newest fix comes first; the backlog behind it fills history and never moves the marker back."""
    driver, order = await on_the_road(service)
    async with service.drive(driver["token"]) as courier:
        await sent(courier, 1, fix(5, lat=60.1750))
        assert (await seen(service, order))["position"]["lat"] == 60.175
        backlog = [fix(4 - n / 10, lat=60.1720 + n * 1e-4) for n in range(20)]
        for number, each in enumerate(backlog[:10], 2):
            await sent(courier, number, fix(1, lat=60.1760) if number == 2 else each)
            assert (await seen(service, order))["position"]["lat"] == 60.176
        assert (await sent(courier, 99, *backlog))["stored"] >= 10
        assert (await seen(service, order))["position"]["lat"] == 60.176


async def test_the_same_key_with_other_content_is_a_duplicate(service: Service) -> None:
    """Over socket and HTTP alike the first one stands, and it is counted."""
    driver, order = await on_the_road(service)
    first = fix(speed=3.0)
    async with service.drive(driver["token"]) as courier:
        assert (await sent(courier, 1, first))["stored"] == 1
        assert (await sent(courier, 2, first | {"lat": 60.2, "speed": 9.0}))["duplicates"] == 1
    headers = {"Authorization": f"Bearer {driver['token']}"}
    again = await service.http.post("/v1/drivers/fixes", json=[first | {"lat": 60.3}], headers=headers)
    assert (again.json()["stored"], again.json()["duplicates"]) == (0, 1)
    track = await service.get(f"/v1/orders/{order['id']}/track.json")
    assert [(one["lat"], one["speed"]) for one in track["items"]] == [(60.17, 3.0)]


@pytest.mark.parametrize(
    ("ahead", "every"), [(3 * HOUR, 0.25), (-24 * HOUR, 0.6)], ids=["3 h ahead", "a day behind"]
)
async def test_a_device_whose_clock_is_steadily_wrong_is_shown_right(
    service: Service, ahead: float, every: float
) -> None:
    """Position, age and history go by our clock; sending it all again is duplicates; acks go by its own."""
    driver, order = await on_the_road(service)
    kept: list[dict[str, Any]] = []
    async with service.drive(driver["token"]) as courier:
        for number in range(12):
            one = fix(-ahead, lat=60.17 + number * 1e-5)
            ack = await sent(courier, number, one)
            if not ack["rejected"]:
                kept.append(one)
            await asyncio.sleep(every)  # simulates the interval between fixes
        state = await seen(service, order)
        assert state["freshness"] == "live"
        assert 0 <= age(state["position"]) < 3
        assert state["position"]["lat"] == pytest.approx(60.17 + 11e-5)
        assert state["eta"]["stale"] is False
        assert len(kept) >= 9
        assert await sent(courier, 50, *kept) | {"rejected": []} == {
            "type": "ack",
            "id": 50,
            "stored": 0,
            "duplicates": len(kept),
            "rejected": [],
        }
    track = await service.get(f"/v1/orders/{order['id']}/track.json")
    assert len(track["items"]) >= 5
    assert all(abs(age(one)) < 60 for one in track["items"])


async def test_a_fix_of_the_near_future_does_not_freeze_the_marker(service: Service) -> None:
    """Up to 60 s ahead it is taken and shown as of now; the next true fix moves the marker on."""
    driver, order = await on_the_road(service)
    async with service.drive(driver["token"]) as courier:
        await sent(courier, 1, fix(-55, lat=60.1700))
        assert age((await seen(service, order))["position"]) >= 0
        await sent(courier, 2, fix(0, lat=60.1701))
        assert (await seen(service, order))["position"]["lat"] == 60.1701


async def test_a_teleport_moves_nothing_until_three_agree(service: Service) -> None:
    """Doubtful ones are stored and hidden from the track; the third consistent one re-seats the marker.

    Then they are believed, and the one fix that contradicts the three is doubted.
    """
    driver, order = await on_the_road(service)
    async with service.drive(driver["token"]) as courier:
        await sent(courier, 1, fix(speed=5))
        for number, expected in ((2, 60.17), (3, 60.17), (4, 61.0)):
            assert (await sent(courier, number, fix(-0.2 * number, lat=61.0, speed=5)))["stored"] == 1
            assert (await seen(service, order))["position"]["lat"] == expected
    whole = await service.get(f"/v1/orders/{order['id']}/track.json?include=rejected")
    assert [one["reason"] for one in whole["items"]] == ["teleport", None, None, None]


async def test_two_devices_with_one_token_do_not_throw_each_other_out_for_ever(service: Service) -> None:
    """The newest wins with 4009; when both come back again and again, one stays and works."""
    driver = await service.new_driver()
    opened = 0
    async with AsyncExitStack() as devices:
        current: Any = None
        for _ in range(30):
            newer = await devices.enter_async_context(service.drive(driver["token"]))
            with suppress(ConnectionClosed):
                await hear(newer, "welcome")
            if newer.close_code is None:
                if current is not None:
                    await current.wait_closed()
                    assert current.close_code == 4009
                current, opened = newer, opened + 1
            else:
                assert newer.close_code == 4103
        assert opened <= 8
        assert (await sent(current, 1, fix()))["stored"] == 1


async def test_what_was_sent_before_slow_is_still_answered(service: Service, service_database: str) -> None:
    """With the table locked the driver is told to slow down; nothing has to be sent again afterwards."""
    driver, order = await on_the_road(service)
    blocker = await asyncpg.connect(service_database)
    async with service.drive(driver["token"]) as courier:
        await hear(courier, "welcome")
        transaction = blocker.transaction()
        await transaction.start()
        await blocker.execute("LOCK TABLE fixes IN ACCESS EXCLUSIVE MODE")
        fixes = [fix(0, lat=60.17 + n * 1e-5) for n in range(5)]
        for number, one in enumerate(fixes):
            await say(courier, type="fixes", id=number, fixes=[one])
        assert (await hear(courier, "slow", "ack", within=15))["type"] == "slow"
        assert (await seen(service, order))["position"]["lat"] == fixes[-1]["lat"]
        answer = await service.http.get("/readyz")
        assert (answer.status_code, answer.json()["wrong"]) == (503, ["lag"])
        await transaction.rollback()
        acks = [await hear(courier, "ack", within=15) for _ in fixes]
        assert sorted(ack["id"] for ack in acks) == list(range(5))
        assert sum(ack["stored"] + ack["duplicates"] for ack in acks) == 5
        assert (await sent(courier, 9, *fixes))["duplicates"] == 5
    await blocker.close()
    assert (await service.http.get("/readyz")).status_code == 200


COMMANDS = """
import sys
from tracker.__main__ import main
for line in sys.stdin:
    main(line.rstrip("\\n").split("\\t"), standalone_mode=False)
    print(flush=True)
"""


async def test_keys_are_listed_and_revoked(service: Service, service_database: str, data_dir: Any) -> None:
    """`tracker keys`: made, shown without the key itself, and refused at once when revoked."""
    environment = {**os.environ, "DATABASE_URL": service_database, "TRACKER_DATA_DIR": str(data_dir)}
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMANDS), env=environment, stdin=PIPE, stdout=PIPE
    )

    async def keys(*arguments: str) -> list[str]:
        """What the command prints. All run in one interpreter, which loads the program once."""
        assert program.stdin and program.stdout
        program.stdin.write("\t".join(["keys", *arguments]).encode() + b"\n")
        lines: list[str] = []
        async with asyncio.timeout(30):
            while line := (await program.stdout.readline()).decode().strip():
                lines.append(line)
        return lines

    (key,) = await keys("create", "--name", "a till", "--scope", "read")
    async with httpx.AsyncClient(base_url=service.url, headers={"Authorization": f"Bearer {key}"}) as http:
        assert (await http.get("/v1/orders")).status_code == 200
        (line,) = [each for each in await keys("list") if each.endswith("a till")]
        assert key not in line
        assert "in use" in line
        assert await keys("revoke", line.split()[0]) == ["Revoked."]
        assert (await http.get("/v1/orders")).status_code == 401
    (line,) = [each for each in await keys("list") if each.endswith("a till")]
    assert "revoked" in line
    (one,) = [each for each in json.loads("".join(await keys("list", "--json"))) if each["name"] == "a till"]
    assert (one["id"], one["scope"]) == (line.split()[0], "read")
    assert one["created_at"] < one["revoked_at"]
    await program.communicate()
