"""The simulator against the real service, through nothing but its public interface."""

import asyncio
import csv
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from driver_sim.__main__ import main
from driver_sim.client.client import DriverClient
from driver_sim.client.reconnect import PermanentDisconnect
from driver_sim.couriers.events import Event
from driver_sim.couriers.phone import Tempo
from driver_sim.couriers.scenario import Scenario, Settings
from driver_sim.errors import NoBroker
from driver_sim.merchant_api import ApiError, MerchantApi
from driver_sim.replay.player import Replay, replay
from driver_sim.replay.schedule import Timing
from driver_sim.report.totals import totals
from driver_sim.sources.protocols import PROTOCOLS
from driver_sim.tracks import read_tracks
from tests.service import ADMIN_KEY, Service

RUN = {"tempo": Tempo(0.2, 180.0), "seed": 4711}


def asked(service: Service, path: str) -> httpx.Response:
    """The service's answer to a merchant."""
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    answer = httpx.get(f"{service.url}{path}", headers=headers, timeout=20, trust_env=False)
    answer.raise_for_status()
    return answer


async def run(service: Service, last: str = "", **settings: object) -> tuple[Scenario, list[Event]]:
    """A whole run of couriers that drive 180 times faster than real, or until the first event *last*."""
    told: list[Event] = []
    wanted = Settings(url=service.url, api_key=ADMIN_KEY, **{**RUN, **settings})  # type: ignore[arg-type]

    def tell(event: Event) -> None:
        told.append(event)
        if event.event == last:
            scenario.shutdown.set()

    scenario = Scenario(wanted, tell)
    async with asyncio.timeout(90):
        await scenario.run()
    return scenario, told


async def test_couriers_deliver_their_orders_and_lose_nothing(service: Service) -> None:
    """Every order of a limited run is delivered, and every fix is stored exactly once."""
    scenario, told = await run(service, drivers=2, orders=3)
    total = totals(scenario.couriers)
    made = [event for event in told if event.event == "order_created"]
    assert [event.text for event in told if event.event == "trouble"] == []
    assert len(made) == total.delivered == 3
    assert (total.unacked, total.rejected, total.duplicates) == (0, 0, 0)
    assert total.acked == total.sent > 10
    for event in made:
        order = asked(service, f"/v1/orders/{event.order_id}").json()
        assert order["status"] == "delivered"
        assert order["tracking_url"] == event.tracking_url


async def test_couriers_send_positions_by_every_protocol(service: Service) -> None:
    """Orders come by WebSocket; a phone app beside it sends the positions, each stored exactly once."""
    protocols = [one for one in PROTOCOLS if one not in {"ws", "mqtt"}]
    runs = [run(service, drivers=1, orders=1, seed=4800 + n, protocol=one) for n, one in enumerate(protocols)]
    for (scenario, told), protocol in zip(await asyncio.gather(*runs), protocols, strict=True):
        total = totals(scenario.couriers)
        assert [event.text for event in told if event.event == "trouble"] == [], protocol
        assert (total.delivered, total.unacked, total.rejected, total.duplicates) == (1, 0, 0, 0), protocol
        assert total.acked == total.sent > 0, protocol
        driver = asked(service, f"/v1/drivers/{scenario.couriers[0].driver_id}").json()
        assert driver["last_fix"] is not None, protocol
    metrics = (await service.http.get("/metrics")).text
    for app in ("osmand", "owntracks", "overland"):
        assert f'tracker_phone_messages_total{{format="{app}",kind="fix"}}' in metrics


async def test_couriers_give_the_proofs_that_a_stop_needs(service: Service) -> None:
    """Of an order of their own also the PIN, which its customer reads; of another only what they can know."""
    whole = {
        "pickup": {"barcode": "A-1", "photo": True},
        "dropoff": {"signature": True, "barcode": "JD014600003SE"},
    }
    seed = 4920
    first, _ = await run(service, drivers=1, orders=0, seed=seed)
    driver_id = first.couriers[0].driver_id
    told_by_merchant = [
        await service.new_order(driver_id, requirements=needs)
        for needs in (whole, {"dropoff": {"pin": True}})
    ]
    scenario, told = await run(service, drivers=1, orders=1, seed=seed, proofs=True)
    assert [event.text for event in told if event.event == "trouble"] == []
    [own] = [event.order_id for event in told if event.event == "order_created"]
    proofs = {
        order_id: {
            (one["stop"], one["kind"])
            for one in asked(service, f"/v1/orders/{order_id}/proofs").json()["items"]
        }
        for order_id in (own, *(order["id"] for order in told_by_merchant))
    }
    assert list(proofs.values()) == [
        {("dropoff", "photo"), ("dropoff", "pin")},
        {("pickup", "barcode"), ("pickup", "photo"), ("dropoff", "signature"), ("dropoff", "barcode")},
        set(),
    ]
    ends = [asked(service, f"/v1/orders/{order_id}").json()["status"] for order_id in proofs]
    assert ends == ["delivered", "delivered", "failed"]
    assert [event.text for event in told if event.event == "failed"] == [
        "The order needs the PIN of a customer whom the simulator does not play"
    ]
    assert totals(scenario.couriers).delivered == 2


async def test_mqtt_needs_the_services_broker(service: Service) -> None:
    """Without TRACKER_MQTT_URL, a run fails and says what to set."""
    with pytest.raises(NoBroker, match="set TRACKER_MQTT_URL"):
        await run(service, drivers=1, protocol="mqtt")


async def test_a_second_run_takes_the_same_couriers_and_their_open_orders(service: Service) -> None:
    """Started again, no driver is made twice, and what was left open is delivered before anything new."""
    seed = 4712
    first, told = await run(service, "order_created", drivers=1, seed=seed, tempo=Tempo(0.2, 1.0))
    (open_order,) = [event.order_id for event in told if event.event == "order_created"]
    assert asked(service, f"/v1/orders/{open_order}").json()["status"] == "assigned"
    second, told = await run(service, drivers=1, seed=seed, orders=0)
    assert [courier.driver_id for courier in second.couriers] == [first.couriers[0].driver_id]
    assert [event.order_id for event in told if event.event == "delivered"] == [open_order]
    assert [event.order_id for event in told if event.event == "order_taken" and event.tracking_url] == [
        open_order
    ]
    drivers = asked(service, "/v1/drivers?limit=500").json()["items"]
    assert [one["reference"] for one in drivers].count(f"sim-{seed}-0") == 1


async def test_a_recorded_track_is_stored_as_it_was(service: Service, tmp_path: Path) -> None:
    """Replayed twice with its own times, a track is stored once and is the same when asked for."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    rows = [f"{(start + timedelta(seconds=n)).isoformat()},{60.17 + n * 1e-5:.6f},24.94" for n in range(700)]
    path = tmp_path / "drive.csv"
    path.write_text("\n".join(["time,lat,lon", *rows]))
    async with MerchantApi(service.url, ADMIN_KEY) as api:
        driver = await api.create_driver("Replay", "car")
    wanted = Replay(
        url=service.url,
        recordings=read_tracks(path).recordings,
        timing=Timing(None, True),
        token=driver.token,
    )
    said: list[str] = []
    assert await replay(wanted, asyncio.Event(), said.append)
    assert await replay(wanted, asyncio.Event(), said.append)
    assert "700 acknowledged (0 duplicates)" in said[0]
    assert "700 acknowledged (700 duplicates)" in said[1]
    last = asked(service, f"/v1/drivers/{driver.id}").json()["last_fix"]
    assert last["lat"] == pytest.approx(60.17 + 699e-5)


async def test_a_recorded_trip_becomes_an_order(service: Service, tmp_path: Path) -> None:
    """With an API key, a trip's stops become orders that change where the recording reached them."""
    fixes = ",".join(
        f'{{"recorded_at":"2024-05-01T08:00:{n:02d}Z","lat":{60.17 + n * 1e-5:.6f},"lon":24.94}}'
        for n in range(31)
    )
    stops = '[{"lat":60.1701,"lon":24.94,"order":"a"},{"lat":60.1703,"lon":24.94,"order":"a"}]'
    arrived = '["2024-05-01T08:00:10Z","2024-05-01T08:00:30Z"]'
    path = tmp_path / "trips.jsonl"
    path.write_text(
        f'{{"trip_id":"t-1","vehicle":"bicycle","stops":{stops},"fixes":[{fixes}],"arrived_at":{arrived}}}'
    )
    said: list[str] = []
    recordings = read_tracks(path).recordings
    wanted = Replay(url=service.url, recordings=recordings, timing=Timing(20.0), api_key=ADMIN_KEY)
    assert await replay(wanted, asyncio.Event(), said.append)
    order_id = next(line.partition(":")[0] for line in said if line.startswith("ord_"))
    assert asked(service, f"/v1/orders/{order_id}").json()["status"] == "delivered"
    track = list(csv.DictReader(StringIO(asked(service, f"/v1/orders/{order_id}/track.csv").text)))
    assert len(track) >= 25


async def test_errors_are_told_in_the_words_of_the_service(service: Service) -> None:
    """A wrong key and a wrong token end at once, with the reason."""
    async with MerchantApi(service.url, "not-a-key-of-this-service") as api:
        with pytest.raises(ApiError) as refused:
            await api.addresses(limit=10, seed=1)
    assert refused.value.status == 401
    with pytest.raises(PermanentDisconnect, match=r"401|4001"):
        await DriverClient(service.url, "not-a-token").run()


async def test_the_command_says_how_to_fix_a_wrong_address_key_or_token(
    service: Service, tmp_path: Path
) -> None:
    """In one sentence, with exit status 1."""
    track = tmp_path / "ride.csv"
    track.write_text("lat,lon\n60.17,24.94\n60.171,24.941\n")
    nowhere, wrong = ("--url", "http://127.0.0.1:9"), ("--url", service.url)
    replay = ("replay", str(track), "--assume-speed", "5")
    for arguments, fix in (
        (
            ("run", *nowhere, "--api-key", "x", "--wait", "0.1"),
            "start the service, or give its address with --url.",
        ),
        (("run", *wrong, "--api-key", "x" * 20), "give a valid key with --api-key (`tracker keys create "),
        ((*replay, *wrong, "--token", "x" * 20), "give the token of a driver with --token."),
    ):
        status, said = await ended("-m", "driver_sim", *arguments)
        assert (status, fix in said, said.count("\n")) == (1, True, 1), said


async def test_a_replay_of_which_everything_is_rejected_fails(service: Service, tmp_path: Path) -> None:
    """Fixes of long ago, sent under their own times: the exit status says that nothing was stored."""
    path = tmp_path / "old.csv"
    path.write_text("time,lat,lon\n2001-01-01T00:00:00Z,60.17,24.94\n2001-01-01T00:00:01Z,60.17,24.94\n")
    async with MerchantApi(service.url, ADMIN_KEY) as api:
        driver = await api.create_driver("Replay", "car")
    command = ("-m", "driver_sim", "replay", path, "--url", service.url, "--token", driver.token)
    status, said = await ended(*command, "--original-times", "--as-fast-as-possible")
    assert status == 1
    assert "rejected every fix" in said
    status, said = await ended(*command, "--as-fast-as-possible")
    assert (status, "2 acknowledged" in said) == (0, True)


async def ended(*command: str | Path) -> tuple[int | None, str]:
    """The exit status of a run of the simulator, and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


def test_the_command_says_what_is_wrong_before_it_connects(tmp_path: Path) -> None:
    """Files, columns and options that cannot be used, each in one sentence and with exit status 1 or 2."""
    good, bad = tmp_path / "good.csv", tmp_path / "bad.gpx"
    good.write_text("lat,lon\n60,24\n60,25\n")
    bad.write_text("<gpx>")
    for options, status, says in (
        ([bad], 1, "bad.gpx:1: not XML"),
        ([good], 1, "--columns recorded_at=…"),
        ([good, "--columns", "x=y"], 2, "'x=y' is not field=column; fields are recorded_at, lat"),
        ([good, "--assume-speed", "0"], 2, "0 is not in the range"),
        ([good, "--assume-speed", "9", "--original-times"], 2, "needs tracks with times"),
    ):
        result = CliRunner().invoke(main, ["replay", *map(str, options), "--token", "t"])
        assert (result.exit_code, says in result.output) == (status, True), result.output
