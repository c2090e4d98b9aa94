"""Who may: keys, scopes, and what is said to those who may not."""

from datetime import UTC, datetime

import pytest

from tests.api.merchant import ORDER, problem
from tests.service import Service
from tracker.database import Database
from tracker.database.credentials.api_keys import ApiKey, Scope, insert_api_key
from tracker.tokens import hash_token, new_api_key, new_id


async def key_with(database_url: str, scope: Scope) -> str:
    """A key as `tracker keys create` makes it."""
    key = new_api_key()
    async with Database.open(database_url) as database:
        row = ApiKey(new_id("key"), scope)
        await insert_api_key(database, row, scope, hash_token(key), datetime.now(UTC))
    return key


@pytest.mark.parametrize(
    ("scope", "reads", "writes"), [("read", 200, 403), ("orders", 200, 201), ("admin", 200, 201)]
)
async def test_a_scope_holds_those_below_it(
    service: Service, service_database: str, scope: Scope, reads: int, writes: int
) -> None:
    """`admin` may what `orders` may, and `orders` what `read` may; nobody more."""
    headers = {"Authorization": f"Bearer {await key_with(service_database, scope)}"}
    assert (await service.http.get("/v1/orders", headers=headers)).status_code == reads
    answer = await service.http.post("/v1/orders", json=ORDER, headers=headers)
    assert answer.status_code == writes
    if writes == 403:
        assert "'orders'" in problem(answer, 403, "forbidden")["detail"]


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer wrong", "Basic YTpi", "Bearer tak_ä", "bearer\ttak_x"]
)
async def test_without_a_known_key_everything_is_a_401(service: Service, header: str) -> None:
    """The same for every path, whether what it names exists or not, and it says which scheme is wanted."""
    for path in ("/v1/orders", "/v1/orders/ord_nothing", "/v1/drivers"):
        answer = await service.http.get(path, headers={b"Authorization": header.encode()})
        problem(answer, 401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_drivers_token_is_no_key(service: Service) -> None:
    """Whoever drives cannot read the merchant's orders."""
    driver = await service.new_driver()
    answer = await service.http.get("/v1/orders", headers={"Authorization": f"Bearer {driver['token']}"})
    problem(answer, 401, "unauthenticated")


async def test_keys_do_not_share_idempotency(service: Service, service_database: str) -> None:
    """Two merchants' programs may use the same number for different things."""
    own = {"Authorization": f"Bearer {await key_with(service_database, 'orders')}"}
    key = {"Idempotency-Key": "shared-by-chance"}
    mine = await service.http.post("/v1/orders", json=ORDER, headers=key)
    theirs = await service.http.post("/v1/orders", json={**ORDER, "reference": "T"}, headers=key | own)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]


async def test_what_the_framework_refuses_is_a_problem_too(service: Service) -> None:
    """Unknown paths and methods are told like everything else, and reveal nothing of what runs here."""
    problem(await service.http.get("/v1/nothing"), 404, "not-found")
    wrong_method = await service.http.put("/v1/orders", json={})
    problem(wrong_method, 405, "method-not-allowed")
    assert "GET" in wrong_method.headers["Allow"]
    page = await service.http.get("/problems/not-found")
    assert "does not exist or is not yours" in page.text
