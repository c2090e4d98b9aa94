"""Customers of every kind, as programs of their own: what each was told, and the state it makes of it."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from time import monotonic
from typing import Any, Final

import httpx
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.service import Service
from tests.waiting import WITHIN

TLS: Final = ssl.create_default_context()  # of all clients: each takes 0.1 s of the event loop to make
ANYTHING: Final = {"type", "cursor", "now"}

type Messages = AsyncGenerator[dict[str, Any]]


class Watcher:
    """One customer: `state` is what `Object.assign` makes of snapshots and updates."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.cursor = ""
        self.told: list[tuple[float, dict[str, Any]]] = []
        self.ended: str | None = None
        self._heard = asyncio.Event()

    def hear(self, message: dict[str, Any]) -> None:
        self.told.append((monotonic(), message))
        self.cursor = message.get("cursor", self.cursor)
        if message["type"] in {"snapshot", "update"}:
            self.state |= {name: value for name, value in message.items() if name not in ANYTHING}
        if message["type"] == "end":
            self.ended = message["reason"]
        self._heard.set()

    async def reaches(self, there: Callable[[], bool], within: float = WITHIN) -> None:
        """Waits for something while `watch` runs."""
        async with asyncio.timeout(within):
            while not there():
                self._heard.clear()
                await self._heard.wait()

    def was_told(self) -> bool:
        """Anything at all."""
        return bool(self.told)

    def of(self, *types: str) -> list[dict[str, Any]]:
        return [message for _, message in self.told if message["type"] in types]

    async def watch(self, messages: Messages) -> None:
        """Until the stream ends, or the task is cancelled: a cut."""
        async with aclosing(messages):
            async for message in messages:
                self.hear(message)

    async def until(self, messages: Messages, there: Callable[[], bool], within: float = WITHIN) -> None:
        """Hears until something is there."""
        async with asyncio.timeout(within), aclosing(messages):
            while not there():
                self.hear(await anext(messages))


async def by_socket(service: Service, token: str, cursor: str = "", *, binary: bool = False) -> Messages:
    url = f"{service.ws_url}/v1/track/{token}/stream"
    names: Any = ["tracker.v1.msgpack"] if binary else ["tracker.v1"]
    async with connect(
        f"{url}?cursor={cursor}" if cursor else url, subprotocols=names, compression=None
    ) as socket:
        while True:
            try:
                frame = await socket.recv()
            except ConnectionClosed:
                return
            yield msgspec.msgpack.decode(frame) if isinstance(frame, bytes) else msgspec.json.decode(frame)


async def by_binary_socket(service: Service, token: str, cursor: str = "") -> Messages:
    async with aclosing(by_socket(service, token, cursor, binary=True)) as messages:
        async for message in messages:
            yield message


async def by_events(service: Service, token: str, cursor: str = "") -> Messages:
    headers = {"Last-Event-ID": cursor} if cursor else {}
    async with (
        httpx.AsyncClient(base_url=service.url, timeout=30.0, verify=TLS) as http,
        http.stream("GET", f"/v1/track/{token}/events", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        event: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif "data" in event:
                message = msgspec.json.decode(event["data"])
                assert message["type"] == event["event"]
                yield message
                event = {}


async def by_polls(service: Service, token: str, cursor: str = "", wait_s: float = 25.0) -> Messages:
    async with httpx.AsyncClient(base_url=service.url, timeout=30.0, verify=TLS) as http:
        while True:
            params: dict[str, Any] = {"wait_s": wait_s, **({"cursor": cursor} if cursor else {})}
            answer = await http.get(f"/v1/track/{token}/poll", params=params)
            if answer.status_code == 204:
                continue
            assert answer.status_code == 200, answer.text
            cursor = answer.json()["cursor"]
            for message in answer.json()["messages"]:
                yield message
                if message["type"] == "end":
                    return


WAYS: Final = {"ws": by_socket, "msgpack": by_binary_socket, "sse": by_events, "poll": by_polls}
