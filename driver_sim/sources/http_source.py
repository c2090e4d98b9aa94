"""HttpSource: a phone app that sends one request at a time, and keeps each fix until the answer."""

import asyncio
import ssl
from collections import Counter, deque
from contextlib import suppress
from datetime import datetime
from random import Random
from typing import Final

import httpx
import msgspec

from driver_sim.client.outbox import OnStored
from driver_sim.client.reconnect import CloseAction, PermanentDisconnect, after_http_error, pause
from driver_sim.sources.formats import AppFormat, AppRequest
from driver_sim.sources.source import OnError
from driver_sim.urls import is_local
from tracker.domain.tracks.fix import Fix
from tracker.messages import Ack

TIMEOUT_S: Final = 20.0


class HttpSource:
    """Sends the oldest fixes first, as the apps do."""

    def __init__(
        self, url: str, token: str, format_: AppFormat, *, random: Random | None = None, on_error: OnError
    ) -> None:
        """Create a source for the driver of *token*. `run` sends; *on_error* hears of each failure."""
        self.counts: Counter[str] = Counter()
        self.latencies: deque[float] = deque(maxlen=1_000)
        self.on_stored: OnStored = lambda fixes: None
        self.connected = False
        self._url, self._token, self._format = url.rstrip("/"), token, format_
        self._random, self._on_error = random or Random(), on_error
        self._fault = ""
        self._queue: deque[Fix] = deque()
        self._last_at: datetime | None = None
        self._changed = asyncio.Event()

    @property
    def unacked(self) -> int:
        return len(self._queue)

    def add(self, fix: Fix) -> None:
        """Queue a fix. An app with whole seconds keeps the first of each second."""
        if self._format.whole_seconds:
            fix = in_whole_seconds(fix)
        if fix.recorded_at != self._last_at:
            self._last_at = fix.recorded_at
            self._queue.append(fix)
            self._changed.set()

    async def flush(self, timeout_s: float = 10.0) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._queue:
                    self._changed.clear()
                    await self._changed.wait()
        return not self._queue

    async def run(self) -> None:
        """Send until cancelled. Raises PermanentDisconnect if the service rejects the token."""
        async with httpx.AsyncClient(
            timeout=TIMEOUT_S, trust_env=not is_local(self._url), verify=ssl.create_default_context()
        ) as http:
            attempt = 0
            while True:
                while not self._queue:
                    self._changed.clear()
                    await self._changed.wait()
                batch = [self._queue[n] for n in range(min(len(self._queue), self._format.batch))]
                self.connected = await self._send(http, batch)
                attempt = 0 if self.connected else attempt + 1
                if not self.connected:
                    await asyncio.sleep(pause(CloseAction.RETRY, attempt, self._random))

    async def _send(self, http: httpx.AsyncClient, batch: list[Fix]) -> bool:
        """Send a batch and drop what the service has. Return whether the next one may follow at once."""
        request = self._format.request(self._token, batch)
        started = asyncio.get_running_loop().time()
        try:
            response = await self._request(http, request)
            ack = self._format.read(response.content, len(batch)) if response.is_success else None
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            self._fail(str(error) or type(error).__name__)
            return False
        if ack is None:
            self._refused(response)
            return False
        self.counts["sent"] += len(batch)
        self._fault = ""
        self.latencies.append(asyncio.get_running_loop().time() - started)
        self._count(ack, len(batch))
        self.on_stored(batch)
        for _ in batch:
            self._queue.popleft()
        self._changed.set()
        return True

    async def _request(self, http: httpx.AsyncClient, request: AppRequest) -> httpx.Response:
        url = self._url + request.path
        return await http.request(request.method, url, content=request.body, headers=request.headers)

    def _refused(self, response: httpx.Response) -> None:
        """Raises PermanentDisconnect if a repetition cannot help."""
        if after_http_error(response.status_code) is CloseAction.STOP and not response.is_success:
            raise PermanentDisconnect(response.status_code, "the service refused the fixes")
        self._fail(f"HTTP {response.status_code} for fixes")

    def _fail(self, fault: str) -> None:
        """Report a fault once, however often it repeats."""
        if fault != self._fault:
            self._on_error(ConnectionError(f"{fault}; retrying"))
        self._fault = fault

    def _count(self, ack: Ack, fixes: int) -> None:
        rejected = len(ack.rejected or [])
        self.counts["acked"] += fixes - rejected
        self.counts["duplicates"] += ack.duplicates or 0
        self.counts["rejected"] += rejected


def in_whole_seconds(fix: Fix) -> Fix:
    """Return the fix as an app with whole seconds has it."""
    return msgspec.structs.replace(fix, recorded_at=fix.recorded_at.replace(microsecond=0))
