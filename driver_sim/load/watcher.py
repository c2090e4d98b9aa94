"""Watcher: a customer who watches one order by WebSocket, and reconnects as the close codes require."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from random import Random
from typing import Final, Literal

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from driver_sim.client.reconnect import CloseAction, after_close, after_http_error, pause
from driver_sim.urls import is_local, socket_uri

type OnPosition = Callable[[datetime], None]


class _Position(msgspec.Struct):
    recorded_at: datetime


class _Message(msgspec.Struct):
    """What the tool needs of a snapshot or an update."""

    position: _Position | None = None
    visibility: Literal["live", "hidden", "ended"] | None = None


_decoder: Final = msgspec.json.Decoder(_Message)


class Watcher:
    """One customer's page, without a map."""

    def __init__(
        self, url: str, link_token: str, on_position: OnPosition, *, address: str | None, random: Random
    ) -> None:
        """Watch the order of a link. *address*: the local one, None for any."""
        self.connected = False
        self.connections = 0
        self.newest: datetime | None = None  # time of the last position that the customer saw
        self.may_see = False  # whether the service shows the position now
        self._uri = socket_uri(url, f"/v1/track/{link_token}/stream")
        self._on_position, self._address, self._random = on_position, address, random

    async def run(self) -> None:
        """Watch until the order ends, or until cancelled."""
        attempt = 0
        while True:
            action = await self._watch_once()
            if action is CloseAction.STOP:
                return
            attempt = 0 if action is CloseAction.RESTART else attempt + 1
            await asyncio.sleep(pause(action, attempt, self._random))

    async def _watch_once(self) -> CloseAction:
        """Watch for one connection. Return what to do next."""
        try:
            async with self._connect() as websocket:
                self.connected = True
                self.connections += 1
                with suppress(ConnectionClosed):
                    async for frame in websocket:
                        self._show(frame)
                return after_close(websocket.close_code or 1006)
        except InvalidStatus as error:
            return after_http_error(error.response.status_code)
        except (OSError, TimeoutError, InvalidHandshake):
            return CloseAction.RETRY
        finally:
            self.connected = False

    def _connect(self) -> connect:
        return connect(
            self._uri,
            compression=None,
            ping_interval=None,  # the service sends heartbeats
            proxy=None if is_local(self._uri) else True,
            close_timeout=1,
            local_addr=(self._address, 0) if self._address else None,
        )

    def _show(self, frame: str | bytes) -> None:
        message = _decoder.decode(frame)
        if message.visibility is not None:
            self.may_see = message.visibility == "live"
        position = message.position
        if position is not None and position.recorded_at != self.newest:
            self.newest = position.recorded_at
            self._on_position(position.recorded_at)
