"""The version before the newest migration serves beside this one: on the newest schema, and on one bus."""

import asyncio
import io
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.nats import nats_server
from tests.proxies.pair import PairedNode
from tests.service import hear, say, token_of
from tests.test_end_to_end import fix, on_the_way
from tests.waiting import until
from tracker.database import Database
from tracker.database.queries import sql
from tracker.system.sql_files import parse

ROOT = Path(__file__).parents[1]
PARTS = ("tracker", "sql", "web", "pyproject.toml")
PLACES = {"pickup": {"lat": 60.1713, "lon": 24.9440}, "dropoff": {"lat": 60.1666, "lon": 24.9486}}


def git(*arguments: str) -> bytes:
    done = subprocess.run(("git", "-C", str(ROOT), *arguments), check=False, capture_output=True)
    return done.stdout if done.returncode == 0 else b""


@pytest.fixture(scope="session")
def old_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the newest release, or without one of the commit before the newest migration."""
    release = git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^").decode().strip()
    newest = git("log", "-1", "--format=%H", "--diff-filter=A", "--", "sql/migrations").decode().strip()
    packed = git("archive", release or f"{newest}^", *PARTS) if release or newest else b""
    if not packed:
        pytest.skip("needs the history of this repository: a clone of depth 1 has none")
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    (folder / "web/vendor").symlink_to(ROOT / "web/vendor")
    return folder


async def misfits(database: Database, folder: Path) -> list[str]:
    """The statements of a version that the database does not understand."""
    found = []
    texts = [file.read_text("utf-8") for file in sorted((folder / "sql/queries").glob("*.sql"))]
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute(sql("create_incoming"))
        for name, statement in (pair for text in texts for pair in parse(text).items()):
            try:
                async with connection.transaction():
                    await connection.prepare(statement)
            except asyncpg.PostgresError as error:
                found.append(f"{name}: {error}")
    return found


async def test_the_old_statements_fit_the_new_schema(database: Database, old_version: Path) -> None:
    """Every one, so that a node of the old version goes on; a column that went away is named."""
    assert await misfits(database, old_version) == []
    await database.pool.execute("ALTER TABLE orders RENAME COLUMN instructions TO notes")
    assert any("instructions" in line for line in await misfits(database, old_version))


class OldNode(PairedNode):
    """A node of another version."""

    async def start_from(self, tree: Path) -> None:
        log = self._folder / "serve-old.log"
        self.logs.append(log)
        with log.open("wb") as stderr:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tracker", "serve", "--migrate"),
                cwd=tree,
                env=self._environment | {"PYTHONPATH": str(tree)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        self.port = int(self.address.rsplit(":", 1)[1])
        await until(self._is_up, 120.0)

    async def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, self.logs[-1].read_text()
        return await self.is_ready()


@pytest.fixture
async def nodes(
    old_version: Path, data_dir: Path, empty_database_url: str, tmp_path: Path
) -> AsyncIterator[tuple[OldNode, PairedNode]]:
    """A node of the old version on a database of its own making; the new one is not started yet."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    async with nats_server() as bus:
        old = OldNode(tmp_path / "old", data_dir, empty_database_url, bus.url)
        new = PairedNode(tmp_path / "new", data_dir, empty_database_url, bus.url)
        try:
            await old.start_from(old_version)
            yield old, new
        finally:
            await asyncio.gather(old.end(), new.end())


async def post(node: PairedNode, path: str, body: object) -> Any:
    async with node.merchant() as http:
        answer = await http.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def get(node: PairedNode, path: str) -> Any:
    async with node.merchant() as http:
        return (await http.get(path)).json()


def drive(node: PairedNode, driver: Any) -> connect:
    token = {"Authorization": f"Bearer {driver['token']}"}
    return connect(f"ws://{node.address}/v1/drivers/stream", additional_headers=token, compression=None)


def watch(node: PairedNode, order: Any) -> connect:
    return connect(f"ws://{node.address}/v1/track/{token_of(order)}/stream", compression=None)


async def deliver(
    order: Any, courier: ClientConnection, customer: ClientConnection, merchant: PairedNode
) -> None:
    """One delivery: a position, a note, a status by the merchant, and one by the driver."""
    await hear(courier, "welcome")
    await say(courier, type="fixes", id=1, fixes=[fix(0.0, *on_the_way(0.1))])
    assert (await hear(courier, "ack"))["stored"] == 1
    while not (await hear(customer, "snapshot", "update")).get("position"):
        pass
    await say(customer, type="message", text="at the back door")
    assert (await hear(courier, "message"))["text"] == "at the back door"
    await post(merchant, f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
    while (await hear(courier, "orders"))["orders"][0]["status"] != "picked_up":
        pass
    await say(courier, type="status", id=2, order_id=order["id"], status="delivered")
    assert (await hear(courier, "ack", "error"))["type"] == "ack"
    assert (await hear(customer, "end"))["reason"] == "delivered"


async def test_old_and_new_version_serve_together(nodes: tuple[OldNode, PairedNode]) -> None:
    """The new one migrates while the old one serves. Each then has drivers whose customers the other has."""
    old, new = nodes
    drivers = [await post(old, "/v1/drivers", {"name": "Aino K.", "vehicle": "car"}) for _ in range(2)]
    orders = [await post(old, "/v1/orders", {**PLACES, "driver_id": driver["id"]}) for driver in drivers]
    async with watch(old, orders[1]) as early:
        await hear(early, "snapshot")
        await new.start()
        async with AsyncExitStack() as stack:
            couriers = [
                await stack.enter_async_context(drive(node, driver))
                for node, driver in zip((old, new), drivers, strict=True)
            ]
            late = await stack.enter_async_context(watch(new, orders[0]))
            await asyncio.gather(
                deliver(orders[0], couriers[0], late, new), deliver(orders[1], couriers[1], early, old)
            )
    events = [[event["id"] for event in (await get(node, "/v1/events"))["items"]] for node in nodes]
    assert events[0] == events[1]
    assert len(events[0]) >= 8
    assert await old.terminate() == 0
    words = [*old.unexpected_words(), *new.unexpected_words()]
    assert [line for line in words if '"event": "bus_' not in line] == []  # the old one's, as it ends
