"""Watching: customers, each with a driver whose fixes they wait for, and how long that takes.

A customer's socket has a message when the kernel has it: each read tells when that was. So it does not count
what keeps this process itself from reading.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic, time
from typing import Final

import msgspec

from tests.faults.attackers import FIN, PONG, TEXT, frame_head, request
from tests.faults.node import Node

FIX_EVERY: Final = 1.0  # seconds: a customer is told at most twice a second, and late ones must not pile up
PLACES: Final = {"pickup": {"lat": 60.1711, "lon": 24.9449}, "dropoff": {"lat": 60.1666, "lon": 24.9486}}
STAMP: Final = getattr(socket, "SO_TIMESTAMPNS", 35)  # Linux's number
STAMP_SIZE: Final = 64  # bytes, for the kernel's answer
PIECE: Final = 65_536

# Of a change of anything else a customer would be told first, and of the fix half a second later.
ONLY_POSITIONS: Final = {"position": "always", "eta": "never", "route": "never", "stops_before": "never"}


class Job(msgspec.Struct, frozen=True):
    """A driver with an order, and its customer's token."""

    token: str
    link: str


class Seen(msgspec.Struct, frozen=True):
    """One fix that a customer's socket had; both times as the system's clock has them, in seconds."""

    sent: float
    arrived: float

    @property
    def took_ms(self) -> float:
        return (self.arrived - self.sent) * 1_000


class Peer:
    """One WebSocket, with as little work as there can be between it and its socket."""

    def __init__(self, end: socket.socket, came: bytes) -> None:
        self._end, self._came = end, came

    @classmethod
    async def connect(cls, port: int, path: str, token: str = "") -> "Peer":
        loop, end = asyncio.get_running_loop(), socket.socket()
        end.setblocking(False)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.setsockopt(socket.SOL_SOCKET, STAMP, 1)
        await loop.sock_connect(end, ("127.0.0.1", port))
        await loop.sock_sendall(end, request(port, path, token))
        came = b""
        while b"\r\n\r\n" not in came:
            came += await loop.sock_recv(end, PIECE)
        head, _, rest = came.partition(b"\r\n\r\n")
        assert b" 101 " in head, head
        return cls(end, rest)

    def send(self, opcode: int, body: bytes = b"") -> float:
        """When that was."""
        frame = frame_head(FIN | opcode, len(body)) + body
        now = time()
        self._end.send(frame)
        return now

    async def arrivals(self) -> AsyncIterator[tuple[float, bytes]]:
        """Each message, and when the kernel had it. Pings are answered. Ends with the connection."""
        readable = asyncio.Event()
        loop, at = asyncio.get_running_loop(), time()
        loop.add_reader(self._end, readable.set)
        try:
            while True:
                for opcode, body in self._frames():
                    if opcode == TEXT:
                        yield at, body
                    else:
                        self.send(PONG)
                await readable.wait()
                readable.clear()
                try:
                    data, extra, _, _ = self._end.recvmsg(PIECE, STAMP_SIZE)
                except BlockingIOError:  # told twice of the same
                    continue
                if not data:
                    return
                at = _stamp(extra)
                self._came += data
        finally:
            loop.remove_reader(self._end)
            self._end.close()

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """Those that are there whole; a server's are not masked."""
        while len(self._came) >= 2:
            size, begins = self._came[1], 2
            if size > 125:
                begins = 4 if size == 126 else 10
                size = int.from_bytes(self._came[2:begins])
            if len(self._came) < begins + size:
                return
            frame, self._came = self._came[: begins + size], self._came[begins + size :]
            yield frame[0] & 0x0F, frame[begins:]


def _stamp(extra: list[tuple[int, int, bytes]]) -> float:
    for _, kind, data in extra:
        if kind == STAMP:
            seconds, nanoseconds = struct.unpack("ll", data[:16])
            return float(seconds + nanoseconds / 1e9)
    return time()


class Watching:
    """Drivers send each at their own moments, by the clock: no stop of anybody's makes them send together."""

    def __init__(self, node: Node, jobs: list[Job]) -> None:
        self._node, self._jobs = node, jobs
        self.took: list[Seen] = []
        self._sent: dict[str, float] = {}
        self._began = monotonic()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._one(number, job)) for number, job in enumerate(self._jobs)]
        try:
            yield
        finally:
            ended = [task for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in ended:
                task.result()  # whatever broke it

    async def _one(self, number: int, job: Job) -> None:
        driver = await Peer.connect(self._node.port, "/v1/drivers/stream", job.token)
        customer = await Peer.connect(self._node.port, f"/v1/track/{job.link}/stream")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._see(customer, job))
            tasks.create_task(_discard(driver))
            await self._drive(driver, job, number / len(self._jobs))

    async def _drive(self, driver: Peer, job: Job, phase: float) -> None:
        step = int((monotonic() - self._began) / FIX_EVERY) + 1
        while True:
            due = self._began + (step + phase) * FIX_EVERY
            await asyncio.sleep(due - monotonic())  # simulates the interval between fixes
            at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            fix = {"recorded_at": at, "lat": 60.1711 + step % 2 * 1e-5, "lon": 24.9449, "speed": 0.5}
            body = msgspec.json.encode({"type": "fixes", "id": step, "fixes": [fix]})
            self._sent[f"{job.link} {at}"] = driver.send(TEXT, body)
            step += 1

    async def _see(self, customer: Peer, job: Job) -> None:
        async for at, body in customer.arrivals():
            position = msgspec.json.decode(body).get("position")
            if position and (sent := self._sent.pop(f"{job.link} {position['recorded_at']}", None)):
                self.took.append(Seen(sent, at))

    def seen(self) -> list[Seen]:
        """What was seen since the last call."""
        took, self.took = self.took, []
        return took

    def unseen(self, at: float) -> list[float]:
        """When fixes were sent that no customer has seen yet, before `at`."""
        return [sent for sent in self._sent.values() if sent < at]


async def _discard(driver: Peer) -> None:
    async for _ in driver.arrivals():
        pass


async def new_jobs(node: Node, count: int) -> list[Job]:
    jobs = []
    async with node.merchant() as http:
        for number in range(count):
            driver = (
                await http.post("/v1/drivers", json={"name": f"Kuski {number}", "vehicle": "car"})
            ).json()
            body = {**PLACES, "driver_id": driver["id"], "visibility": ONLY_POSITIONS}
            order = (await http.post("/v1/orders", json=body)).json()
            jobs.append(Job(driver["token"], order["tracking_url"].rsplit("/", 1)[1]))
    return jobs
