"""The allowance of a key: what is left is in every answer, and beyond it is 429 until there is some again."""

import pytest
from quart import Quart, Response

from tracker.api.allowance import add_rate_limit_headers, take_allowance
from tracker.api.errors import register_errors
from tracker.rate_limits import RateLimit

AT_ONCE = 3
PER_S = 0.5


@pytest.fixture
def app() -> Quart:
    """An app with one view, of which a key may have three at once and then one every two seconds."""
    app, rates = Quart(__name__), RateLimit(AT_ONCE, PER_S)
    register_errors(app)
    app.after_request(add_rate_limit_headers)

    @app.get("/<key>/<int:amount>")
    async def view(key: str, amount: int) -> Response:
        take_allowance(rates, key, "Too many.", amount=amount)
        return Response(b"")

    return app


async def test_beyond_its_allowance_a_key_is_told_when_to_come_back(app: Quart) -> None:
    """429 with Retry-After; other keys have their own allowance."""
    client = app.test_client()
    answers = [await client.get("/a/1") for _ in range(AT_ONCE + 1)]
    assert [answer.status_code for answer in answers] == [200] * AT_ONCE + [429]
    assert [answer.headers["RateLimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"default";q=3;w=6'}
    assert answers[-1].headers["Retry-After"] == "2"
    assert answers[-1].headers["Cache-Control"] == "private, no-store"
    assert (await client.get("/b/1")).status_code == 200


async def test_what_is_refused_costs_nothing(app: Quart) -> None:
    """The wait is for what is missing, and no longer because it was asked for."""
    client = app.test_client()
    assert (await client.get("/a/1")).status_code == 200
    refused = [await client.get("/a/3") for _ in range(3)]
    assert [answer.status_code for answer in refused] == [429] * 3
    assert {answer.headers["Retry-After"] for answer in refused} == {"2"}
    assert (await client.get("/a/2")).status_code == 200
