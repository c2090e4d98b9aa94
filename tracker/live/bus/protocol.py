"""Bus: what nodes may expect of it. PostgreSQL holds the truth, so the bus may lose messages."""

from collections.abc import Awaitable, Callable
from typing import Protocol

type Receiver = Callable[[bytes], None]
"""Handles a message. It must not wait, because later messages wait for it."""

type Answerer = Callable[[bytes], Awaitable[bytes]]
"""Answers a request. Requests are answered concurrently."""


class Bus(Protocol):
    """Carries messages by subject to the other nodes, never back to the sender.

    A subject consists of words with dots between them; in `receive`, `*` stands for any one word. Messages
    of one sender arrive in their order, each at most once. A message is lost if no node receives its subject,
    if the bus is away, or if a queue is full.
    """

    @property
    def connected(self) -> bool:
        """Whether messages reach other nodes now."""

    def receive(self, subject: str, receiver: Receiver) -> None:
        """Pass each message with this subject to *receiver*. Call it before the first message is sent."""

    def answer(self, subject: str, answerer: Answerer) -> None:
        """Answer each request with this subject. An error of *answerer* is logged; the request times out."""

    def publish(self, subject: str, message: bytes) -> None:
        """Send a message; never wait."""

    async def request(self, subject: str, message: bytes, timeout_s: float) -> bytes:
        """Send a message to the node that answers this subject, and return its answer.

        Raises BusUnavailable if none answers in time. The request may have been carried out even then.
        """
