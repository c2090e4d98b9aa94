"""Which cookie a browser gets, by where it found the service: over TLS, behind proxies, on loopback."""

from datetime import UTC, datetime
from http.cookies import SimpleCookie
from types import SimpleNamespace
from typing import Any

import pytest
from quart import Quart

from tracker.api.dispatch import session
from tracker.api.errors import register_errors
from tracker.api.json_bodies import register_bodies
from tracker.config import Config
from tracker.database import Database
from tracker.rate_limits import RateLimit
from tracker.tokens import LinkTokens

KEY = "an-admin-key-of-some-length"
PROXY = {"trusted_proxies": "127.0.0.1", "public_url": None}
FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "track.example"}
PLAIN, SECURE = "tracker_session", "__Host-tracker_session"


def app_of(database: Database, **settings: Any) -> Quart:
    """The endpoints of sessions alone, with a database."""
    app = Quart("sessions")
    register_errors(app)
    register_bodies(app)
    app.register_blueprint(session.blueprint)
    app.extensions["tracker"] = SimpleNamespace(
        config=Config(admin_key=KEY, **settings),
        database=database,
        link_tokens=LinkTokens("a secret"),
        login_rates=RateLimit(30, 0.2),
        request_rates=RateLimit(100, 1.0),
        wrong_guesses=RateLimit(60, 1.0),
        audit=SimpleNamespace(add=lambda _: None),
        now=lambda: datetime.now(UTC),
    )
    return app


async def log_in(app: Quart, origin: str | None, host: str, **headers: str) -> Any:
    given = headers | {"Host": host} | ({} if origin is None else {"Origin": origin})
    return await app.test_client(use_cookies=False).post(
        "/v1/session", json={"key": KEY}, headers=given, scope_base={"client": ("127.0.0.1", 50_000)}
    )


@pytest.mark.parametrize(
    ("settings", "origin", "host", "headers", "cookie"),
    [
        ({}, "http://127.0.0.1:8080", "127.0.0.1:8080", {}, PLAIN),
        ({}, "http://localhost:8080", "localhost:8080", {}, PLAIN),
        ({}, "http://[::1]:8080", "[::1]:8080", {}, PLAIN),
        ({}, None, "127.0.0.1:8080", {}, PLAIN),
        (PROXY, "https://track.example", "127.0.0.1:8080", FORWARDED, SECURE),
        (PROXY, None, "127.0.0.1:8080", FORWARDED, SECURE),
        ({"public_url": "https://track.example/shop"}, "https://track.example", "upstream:8080", {}, SECURE),
        ({"public_url": "https://track.example:443"}, "https://TRACK.example", "upstream:8080", {}, SECURE),
    ],
)
async def test_the_cookie_fits_the_origin(
    *,
    database: Database,
    settings: dict[str, Any],
    origin: str | None,
    host: str,
    headers: dict[str, str],
    cookie: str,
) -> None:
    """`__Host-` over TLS, wherever that ends, with `Path=/`, no `Domain`. The plain one on loopback only."""
    app = app_of(database, **settings)
    answer = await log_in(app, origin, host, **headers)
    assert answer.status_code == 204, await answer.get_data()
    (name, morsel), *more = SimpleCookie(answer.headers["Set-Cookie"]).items()
    assert (name, more) == (cookie, [])
    assert (bool(morsel["secure"]), morsel["path"], morsel["domain"]) == (cookie == SECURE, "/", "")
    assert (morsel["samesite"], bool(morsel["httponly"])) == ("Strict", True)
    shown = await app.test_client(use_cookies=False).get(
        "/v1/session", headers={"Host": host, "Cookie": f"{name}={morsel.value}", **headers}
    )
    assert shown.status_code == 200


@pytest.mark.parametrize(
    ("settings", "origin", "host", "headers", "status"),
    [
        ({}, "https://track.example", "127.0.0.1:8080", FORWARDED, 403),  # nobody configured that proxy
        (PROXY, "http://127.0.0.1:8080", "127.0.0.1:8080", FORWARDED, 403),
        ({"public_url": "https://track.example"}, "https://evil.example", "track.example", {}, 403),
        ({}, "http://shop.local", "shop.local", {}, 400),
        ({}, None, "shop.local", {}, 400),
    ],
)
async def test_elsewhere_nobody_logs_in(
    *,
    database: Database,
    settings: dict[str, Any],
    origin: str | None,
    host: str,
    headers: dict[str, str],
    status: int,
) -> None:
    """Neither from another site's page nor where the key would travel in the clear."""
    assert (await log_in(app_of(database, **settings), origin, host, **headers)).status_code == status


async def test_attempts_are_limited(database: Database) -> None:
    """With right keys, too: 429 and when to come back."""
    app = app_of(database)
    found = [(await log_in(app, None, "127.0.0.1:8080")).status_code for _ in range(31)]
    assert found == [204] * 30 + [429]
