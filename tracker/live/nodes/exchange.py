"""Exchange: the typed messages of one node on the bus.

Subjects are `tracker.<installation>.order.<id>`, `….driver.<id>`, `….node.<id>` and `….brand`: they carry
ids only.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from tracker.errors import BusUnavailable
from tracker.live.bus.protocol import Bus
from tracker.live.nodes.messages import (
    Answer,
    Event,
    Request,
    decode_answer,
    decode_event,
    decode_request,
    encode,
)

ANSWER_WITHIN_S: Final = 6.0  # a commit may take five


class Exchange:
    """Sends requests and events to other nodes, and passes theirs on."""

    def __init__(self, bus: Bus, node: str, installation: str = "") -> None:
        self.node: Final = node
        self.bus: Final = bus
        self._prefix = f"tracker.{installation or 'local'}"
        self._asking: dict[asyncio.Timeout, str] = {}  # the nodes that have not answered yet

    def listen(
        self, answer: Callable[[Request], Awaitable[Answer]], receive: Callable[[Event], None]
    ) -> None:
        """Pass requests to this node to *answer*, and events of other nodes to *receive*."""

        async def respond(message: bytes) -> bytes:
            return encode(await answer(decode_request(message)))

        self.bus.answer(f"{self._prefix}.node.{self.node}.ask", respond)
        for subject in ("order.*", "driver.*", f"node.{self.node}"):
            self.bus.receive(f"{self._prefix}.{subject}", lambda message: receive(decode_event(message)))

    def on_brand_change(self, changed: Callable[[], None]) -> None:
        """Call *changed* when another node has replaced the merchant's brand."""
        self.bus.receive(f"{self._prefix}.brand", lambda _: changed())

    def publish_brand_change(self) -> None:
        """Tell every other node that the merchant's brand was replaced."""
        self.bus.publish(f"{self._prefix}.brand", b"")

    async def ask(self, node: str, request: Request, within_s: float = ANSWER_WITHIN_S) -> Answer:
        """Send a request to a node and return its answer.

        Raises BusUnavailable if none comes in time, and after `give_up`.
        """
        subject = f"{self._prefix}.node.{node}.ask"
        patience = asyncio.timeout(None)
        self._asking[patience] = node
        try:
            async with patience:
                message = await self.bus.request(subject, encode(request), within_s)
        except TimeoutError:
            raise BusUnavailable("The node has stopped.") from None
        finally:
            self._asking.pop(patience, None)
        answer: Answer = decode_answer(message)
        return answer

    def give_up(self, node: str) -> None:
        """End the requests to a node that has stopped; a frozen one would let them wait for its answer."""
        now = asyncio.get_running_loop().time()
        for patience in [one for one, asked in self._asking.items() if asked == node]:
            del self._asking[patience]
            patience.reschedule(now)

    def publish_order(self, order_id: str, event: Event) -> None:
        """Tell every other node what concerns this order."""
        self.bus.publish(f"{self._prefix}.order.{order_id}", encode(event))

    def publish_node(self, node: str, event: Event) -> None:
        """Send an event to one node."""
        self.bus.publish(f"{self._prefix}.node.{node}", encode(event))

    def publish_driver(self, driver_id: str, event: Event) -> None:
        """Tell every other node what concerns this driver."""
        self.bus.publish(f"{self._prefix}.driver.{driver_id}", encode(event))
