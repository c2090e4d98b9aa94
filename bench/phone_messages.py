"""Messages of one fix, as most phone apps send them: sent again, and beside the framework alone."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import msgspec

from bench.node import Job, Node
from bench.rows import Row

MESSAGES = 500
AT_ONCE = 10
ROUNDS = 8
A_DAY = 1_700.0  # messages a second: 17,000 in 10 s


async def measure_messages(node: Node, job: Job) -> list[Row]:
    """Send single messages again, ten at a time, as Colota does; beside a server that does nothing with them.

    The two take turns, and the best round of each counts, so that another program's load does not.
    """
    service = Load(_port_of(node.url), node.pid, [_request(job, n) for n in range(MESSAGES)])
    first = await service.rate()
    async with _doing_nothing() as (port, pid):
        nothing = Load(port, pid, service.requests)
        rounds = [(await service.measure(), await nothing.measure()) for _ in range(ROUNDS)]
    again, limit = _best([ours for ours, _ in rounds]), _best([theirs for _, theirs in rounds])
    return _rows(first, again, limit)


def _rows(first: float, again: "Measurement", limit: "Measurement") -> list[Row]:
    detail = f"{MESSAGES:,} messages of OwnTracks; the first time {first:,.0f} a second"
    return [
        Row(
            name="messages of one fix sent again, ten at a time",
            value=again.rate,
            unit="messages/s",
            against="a day of 17,000 in 10 s",
            reference=A_DAY,
            better="higher",
            limit=False,
            detail=detail,
        ),
        Row(
            name="the same, beside the framework alone",
            value=again.rate,
            unit="messages/s",
            against="a Quart endpoint that does nothing",
            reference=limit.rate,
            better="higher",
            limit=False,
            detail=f"the same client and requests; best of {ROUNDS} rounds each",
        ),
        Row(
            name="CPU time of the service for such a message",
            value=again.cpu_us,
            unit="µs",
            against="a Quart endpoint that does nothing",
            reference=limit.cpu_us,
            limit=False,
            detail="without the database's processes and the client",
        ),
    ]


class Measurement(NamedTuple):
    """One round of messages."""

    rate: float  # messages a second
    cpu_us: float  # of the server, for each message


def _best(rounds: list[Measurement]) -> Measurement:
    return Measurement(max(one.rate for one in rounds), min(one.cpu_us for one in rounds))


class Load:
    """A client that sends prepared requests on AT_ONCE connections, with as little work as possible."""

    def __init__(self, port: int, pid: int, requests: list[bytes]) -> None:
        self.port, self.pid, self.requests = port, pid, requests

    async def measure(self) -> Measurement:
        before = cpu_ns(self.pid)
        rate = await self.rate()
        return Measurement(rate, (cpu_ns(self.pid) - before) / 1e3 / len(self.requests))

    async def rate(self) -> float:
        """Send all requests. Raises RuntimeError for an answer other than 200."""
        waiting, started = iter(self.requests), perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(self._send(waiting))
        return len(self.requests) / (perf_counter() - started)

    async def _send(self, waiting: Iterator[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for request in waiting:
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                _, _, length = head.partition(b"content-length: ")
                await reader.readexactly(int(length.partition(b"\r\n")[0]))
                if not head.startswith(b"http/1.1 200 "):
                    raise RuntimeError(f"answered with {head.decode()}")
        finally:
            writer.close()


def cpu_ns(pid: int) -> int:
    """Return the CPU time of the process's first thread, which runs the event loop."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="ascii").split()[0])


@asynccontextmanager
async def _doing_nothing() -> AsyncIterator[tuple[int, int]]:
    """Run the server without a service; yield its port and process id."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.http_node"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline()), process.pid
    finally:
        process.kill()
        await process.wait()


def _port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def _request(job: Job, number: int) -> bytes:
    """Return a request of OwnTracks for Android; the fixes are 4 s apart and end half a minute ago."""
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=4 * (MESSAGES - number) + 30)
    body = msgspec.json.encode(location(at, number))
    head = (
        f"POST /ingest/owntracks HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {job.driver_token}\r\n"
        "User-Agent: Owntracks-Android/gms/420500\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Accept-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def location(at: datetime, number: int = 0) -> dict[str, Any]:
    """Return a position as OwnTracks for Android sends it."""
    seconds = int(at.timestamp())
    return {
        "_type": "location", "_id": "05b6f5bf", "acc": 13, "alt": 23, "batt": 62, "bs": 1, "cog": 56,
        "conn": "w", "created_at": seconds + 1, "lat": 60.17 + number * 1e-6, "lon": 24.94, "m": 2,
        "tid": "le", "topic": "owntracks/jane/phone", "tst": seconds, "vac": 15, "vel": 6,
    }  # fmt: skip
