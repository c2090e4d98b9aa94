"""A node that is killed: everybody is back with the final state soon after the next one serves."""

import asyncio
import signal
from pathlib import Path

from tests.service import hear, running_service, say, token_of
from tests.test_end_to_end import fix, on_the_way
from tests.watchers import WAYS, Watcher

WATCHERS = 52
WITHIN = 5.0  # seconds after the reconnect


async def test_every_watcher_holds_the_final_state_after_a_kill(data_dir: Path, database_url: str) -> None:
    """What was acknowledged is shown after the kill, to cursors of the dead node, by every way."""
    watchers = [Watcher() for _ in range(WATCHERS)]
    ways = list(WAYS.values()) * (WATCHERS // len(WAYS))
    async with running_service(data_dir, database_url) as node:
        driver = await node.new_driver()
        orders = [await node.new_order(driver["id"]) for _ in range(2)]
        tokens = [token_of(orders[n % 2]) for n in range(WATCHERS)]
        async with asyncio.TaskGroup() as group:
            for watcher, way, token in zip(watchers, ways, tokens, strict=True):
                group.create_task(watcher.until(way(node, token), watcher.was_told, within=30.0))
        async with node.drive(driver["token"]) as courier:
            await hear(courier, "welcome")
            for n in range(5):
                await say(courier, type="fixes", id=n, fixes=[fix(0.0, *on_the_way(n / 100))])
                await hear(courier, "ack")
            await say(courier, type="status", id=9, order_id=orders[0]["id"], status="picked_up")
            await hear(courier, "ack")
        node.process.send_signal(signal.SIGKILL)
        await node.process.wait()
    async with running_service(data_dir, database_url) as node:
        fresh = {token: await node.get(f"/v1/track/{token}") for token in set(tokens)}
        async with asyncio.timeout(WITHIN), asyncio.TaskGroup() as group:
            for watcher, way, token in zip(watchers, ways, tokens, strict=True):
                expected = {
                    name: fresh[token][name] for name in ("order", "position", "driver", "visibility")
                }

                def there(watcher: Watcher = watcher, expected: dict[str, object] = expected) -> bool:
                    return {name: watcher.state[name] for name in expected} == expected

                group.create_task(watcher.until(way(node, token, watcher.cursor), there, within=WITHIN))
        links = [await node.get(f"/v1/orders/{order['id']}/links") for order in orders]
        assert sum(link["opened"] for page in links for link in page["items"]) == WATCHERS
