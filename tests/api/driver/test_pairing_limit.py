"""The limit of pairing attempts of all addresses together: 429, and an end."""

from datetime import UTC, datetime
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Client

from tests.waiting import until
from tracker.api.driver import pairing
from tracker.api.errors import register_errors
from tracker.api.json_bodies import register_bodies
from tracker.config import Config
from tracker.database import Database
from tracker.rate_limits import ALL_PAIRINGS_AT_ONCE, PairingLimit


@pytest.fixture
def limit() -> PairingLimit:
    return PairingLimit()


@pytest.fixture
def client(database: Database, limit: PairingLimit) -> Client:
    """An app of the pairing endpoints alone, with a database."""
    app = Quart("pairing")
    register_errors(app)
    register_bodies(app)
    app.register_blueprint(pairing.blueprint)
    app.extensions["tracker"] = SimpleNamespace(
        config=Config(), database=database, pairing_limit=limit, now=lambda: datetime.now(UTC)
    )
    return app.test_client()


async def pair(client: Client) -> Any:
    return await client.post("/v1/drivers/pair", json={"code": "00000-00000"})


def use_up(limit: PairingLimit, now: float) -> None:
    for n in range(ALL_PAIRINGS_AT_ONCE):
        limit.take(f"address {n}", now)


async def test_beyond_the_limit_of_all_an_attempt_has_to_wait(client: Client, limit: PairingLimit) -> None:
    """429 with Retry-After, for codes in a body and in a path, although this address has made one attempt."""
    assert (await pair(client)).status_code == 404
    use_up(limit, monotonic() + 60.0)  # so that nothing comes back while the test asks
    for answer in (await pair(client), await client.get("/v1/drivers/pair/00000-00000/owntracks.otrc")):
        assert answer.status_code == 429
        assert answer.headers["Retry-After"] == "1"
        assert (await answer.get_json())["type"].endswith("rate-limited")


async def test_the_limit_of_all_recovers(client: Client, limit: PairingLimit) -> None:
    """By itself, and within the time that Retry-After names."""
    use_up(limit, monotonic() + 0.5)

    async def is_admitted() -> bool:
        return bool((await pair(client)).status_code == 404)

    await until(is_admitted)
