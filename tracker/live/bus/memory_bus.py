"""MemoryBus: connects nodes of one process. A service of one node has one, alone."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from tracker.errors import BusUnavailable
from tracker.live.bus.protocol import Answerer, Receiver

log = structlog.get_logger()


class MemoryNetwork:
    """What several MemoryBuses are connected to. Those of one event loop only."""

    def __init__(self) -> None:
        self.buses: Final[list[MemoryBus]] = []


class MemoryBus:
    """A bus between the nodes of *network*. Without one, there is no other node, and nothing is sent."""

    def __init__(self, network: MemoryNetwork | None = None) -> None:
        self._network = network or MemoryNetwork()
        self._network.buses.append(self)
        self._receivers: list[tuple[list[str], Receiver]] = []
        self._answerers: dict[str, Answerer] = {}
        self._tasks: set[asyncio.Task[bytes]] = set()
        self._connected = True

    @property
    def connected(self) -> bool:
        return self._connected and len(self._network.buses) > 1

    def disconnect(self) -> None:
        """Lose every message to and from this node from now on."""
        self._connected = False

    def reconnect(self) -> None:
        self._connected = True

    def receive(self, subject: str, receiver: Receiver) -> None:
        self._receivers.append((subject.split("."), receiver))

    def answer(self, subject: str, answerer: Answerer) -> None:
        self._answerers[subject] = answerer

    def publish(self, subject: str, message: bytes) -> None:
        if len(self._network.buses) == 1 or not self._connected:
            return
        loop, words = asyncio.get_running_loop(), subject.split(".")
        for bus in self._network.buses:
            if bus is not self:
                for receiver in bus._receivers_of(words):
                    loop.call_soon(bus._deliver, receiver, message)

    async def request(self, subject: str, message: bytes, timeout_s: float) -> bytes:
        others = [bus for bus in self._network.buses if bus is not self and bus.connected]
        found = [bus for bus in others if subject in bus._answerers] if self._connected else []
        if not found:
            raise BusUnavailable("No node answers.")
        task = asyncio.ensure_future(found[0]._answerers[subject](message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait([task], timeout=timeout_s)
        if not done:
            raise BusUnavailable(f"No node answered within {timeout_s:g} s.")
        if (error := task.exception()) is not None:
            log.error("bus_request_failed", exc_info=error)
            raise BusUnavailable("The node failed to answer.")
        return task.result()

    def _receivers_of(self, words: list[str]) -> list[Receiver]:
        return [receiver for pattern, receiver in self._receivers if matches(pattern, words)]

    def _deliver(self, receiver: Callable[[bytes], None], message: bytes) -> None:
        if not self._connected:
            return
        try:
            receiver(message)
        except Exception as error:  # one message must not end the subscription
            log.error("bus_message_rejected", exc_info=error)


def matches(pattern: list[str], words: list[str]) -> bool:
    """Whether a subject's words fit a pattern, in which `*` stands for any one word."""
    return len(pattern) == len(words) and all(
        wanted in ("*", word) for wanted, word in zip(pattern, words, strict=True)
    )
