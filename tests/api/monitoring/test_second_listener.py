"""TRACKER_METRICS_BIND: a second listener for metrics and health, which ends after the public one."""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec
import pytest
import trustme
from quart import Quart

from tests.service import Service, hear, running_service
from tests.waiting import until
from tracker.config import Config
from tracker.metrics import Metrics
from tracker.server import Monitoring, clients, listen, listen_for_monitoring, serve, url_of


def metrics_url(service: Service) -> str:
    """The URL of the second listener, as the log says it."""
    events = [msgspec.json.decode(line) for line in service.log.read_text().splitlines()]
    return next(str(event["metrics_url"]) for event in events if event["event"] == "service_started")


@pytest.fixture
async def watched(data_dir: Path, database_url: str) -> AsyncIterator[Service]:
    """A node with a second listener."""
    async with running_service(
        data_dir, database_url, unrecorded=True, TRACKER_METRICS_BIND="127.0.0.1:0"
    ) as running:
        yield running


async def test_metrics_are_on_the_second_listener_only(watched: Service) -> None:
    """Health is on both; nothing else is on the second one."""
    async with httpx.AsyncClient(base_url=metrics_url(watched), trust_env=False) as monitoring:
        statuses = {
            path: ((await watched.http.get(path)).status_code, (await monitoring.get(path)).status_code)
            for path in ("/metrics", "/livez", "/readyz", "/", "/v1/orders", "/openapi.json")
        }
        assert statuses == {
            "/metrics": (404, 200),
            "/livez": (200, 200),
            "/readyz": (200, 200),
            "/": (200, 404),
            "/v1/orders": (200, 404),
            "/openapi.json": (200, 404),
        }
        assert (
            'tracker_http_requests_total{method="GET",route="/v1/orders",status="200"} 1.0'
            in (await monitoring.get("/metrics")).text
        )
    assert "/metrics" not in (await watched.get("/openapi.json"))["paths"]


async def test_its_requests_are_counted_and_logged_like_others(watched: Service) -> None:
    """With a request id; a scrape that succeeds is no line of the log."""
    async with httpx.AsyncClient(base_url=metrics_url(watched), trust_env=False) as monitoring:
        refused = await monitoring.get("/nothing")
        await monitoring.get("/metrics")
        text = (await monitoring.get("/metrics")).text
    assert 'tracker_http_requests_total{method="GET",route="/metrics",status="200"} 1.0' in text
    log = [msgspec.json.decode(line) for line in watched.log.read_text().splitlines()]
    ids = [event["request_id"] for event in log if event["event"] == "request_refused"]
    assert ids == [refused.headers["X-Request-Id"]]


async def test_the_second_listener_answers_until_the_public_one_has_drained(watched: Service) -> None:
    """While a driver is being acknowledged it says `draining`; then the process ends with 0."""
    driver = await watched.new_driver()
    said: set[str] = set()
    async with (
        httpx.AsyncClient(base_url=metrics_url(watched), trust_env=False) as monitoring,
        watched.drive(driver["token"]) as courier,
    ):
        await hear(courier, "welcome")
        slow = await asyncio.open_connection(*watched.address.split(":"))
        slow[1].write(b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        watched.process.send_signal(signal.SIGTERM)
        with suppress(httpx.TransportError):
            while True:
                answered = (await monitoring.get("/readyz")).json()
                said |= set(answered.get("wrong", []))
        assert await watched.process.wait() == 0
        slow[1].transport.abort()
    assert said == {"draining"}


async def test_a_full_node_is_still_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every descriptor in use, the public listener refuses and counts it; the second one answers."""
    monkeypatch.setattr(clients, "_most_descriptors", lambda: 1)
    monkeypatch.setattr(clients, "RESERVED", 20_000)  # however many descriptors the other tests hold
    config, metrics, stop = Config(bind="127.0.0.1:0", metrics_bind="127.0.0.1:0"), Metrics(), asyncio.Event()
    with listen(config) as public, listen_for_monitoring(config) as second:
        assert second is not None
        work = serve(
            Quart("public", static_folder=None),
            config,
            public,
            nothing_to_drain,
            metrics=metrics.http,
            stop=stop,
            monitoring=Monitoring(Quart("second", static_folder=None), second),
        )
        serving = asyncio.create_task(work)
        async with httpx.AsyncClient(trust_env=False) as http:
            assert await until(lambda: status(http, url_of(public, config))) == 503
            assert await until(lambda: status(http, url_of(second, config))) == 404
        assert metrics.registry.get_sample_value(
            "tracker_connections_refused_total", {"reason": "descriptors"}
        )
        stop.set()
        await serving


async def status(http: httpx.AsyncClient, url: str) -> int:
    with suppress(httpx.TransportError):
        return (await http.get(url)).status_code
    return 0


async def nothing_to_drain() -> None:
    """No client is connected."""


async def test_both_listeners_speak_tls(data_dir: Path, database_url: str, tmp_path: Path) -> None:
    """With the same certificate, whose end is a metric."""
    authority, trusting = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trusting)
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    async with running_service(
        data_dir,
        database_url,
        trusting=trusting,
        TRACKER_METRICS_BIND="127.0.0.1:0",
        TRACKER_TLS_CERT=str(tmp_path / "cert.pem"),
        TRACKER_TLS_KEY=str(tmp_path / "key.pem"),
    ) as service:
        url = metrics_url(service)
        assert url.startswith("https://")
        async with httpx.AsyncClient(base_url=url, verify=trusting, trust_env=False) as monitoring:
            text = (await monitoring.get("/metrics")).text
        [line] = [
            line
            for line in text.splitlines()
            if line.startswith("tracker_tls_certificate_expiry_timestamp_seconds ")
        ]
        assert float(line.split()[1]) > 1.7e9
