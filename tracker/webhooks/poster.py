"""Poster: sends one body to one URL, to addresses that are allowed only.

A name is resolved once, and the connection goes to an address that was checked: a second look-up could give
another one (DNS rebinding). No redirect is followed, no proxy of the environment used, no cookie kept.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from importlib.metadata import version
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Self

import httpx

from tracker.domain.events.addresses import is_allowed
from tracker.domain.events.webhook import Result

WITHIN_S: Final = 10.0  # for one attempt, from the look-up to the answer's body
CONNECT_S: Final = 4.0  # for one address
ADDRESSES: Final = 3  # tried in one attempt
ANSWER_BYTES: Final = 16_384  # read of an answer, so that its connection can be used again
LOOKUPS: Final = 8  # at once; a slow name server delays nothing else
ORIGINS_KEPT: Final = 100  # with open connections
KEPT_ALIVE_S: Final = 30.0

type Address = IPv4Address | IPv6Address


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Blocks. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


class Poster:
    """Sends webhooks; with *private*, also to private and loopback addresses."""

    def __init__(
        self,
        *,
        private: bool,
        within_s: float = WITHIN_S,
        tls: ssl.SSLContext | None = None,
        resolve: Callable[[str, int], list[str]] = resolve,
    ) -> None:
        self._private, self._within_s, self._resolve = private, within_s, resolve
        self._tls = tls or httpx.create_ssl_context()
        self._resolvers = ThreadPoolExecutor(LOOKUPS, "webhook-names")
        self._transports: dict[tuple[str, str, int], httpx.AsyncHTTPTransport] = {}
        self._agent = f"order-tracker/{version('order-tracker')}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Send during the block; close all connections at its end."""
        try:
            yield self
        finally:
            self._resolvers.shutdown(wait=False, cancel_futures=True)
            for transport in self._transports.values():
                await transport.aclose()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Result:
        """Send a body once; return what came of it."""
        target = httpx.URL(url)
        try:
            async with asyncio.timeout(self._within_s):
                addresses = await self._addresses(target)
                allowed = [one for one in addresses if is_allowed(one, private=self._private)]
                if not allowed:
                    return Result(error="address_not_allowed" if addresses else "name_unresolved")
                return await self._post(target, allowed[:ADDRESSES], body, headers)
        except (TimeoutError, httpx.TimeoutException):
            return Result(error="timed_out")

    async def _addresses(self, url: httpx.URL) -> list[Address]:
        """Return the addresses of the URL's host; none if it has none."""
        host, port = url.raw_host.decode().strip("[]"), _port(url)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._resolvers, self._resolve, host, port)
        except (OSError, UnicodeError):
            return []
        return [ip_address(one.partition("%")[0]) for one in found]

    async def _post(
        self, url: httpx.URL, addresses: list[Address], body: bytes, headers: Mapping[str, str]
    ) -> Result:
        """Send to the first address that accepts a connection."""
        failure = Result(error="connection_failed")
        for address in addresses:
            request = self._request(url, address, body, headers)
            try:
                response = await self._transport(url).handle_async_request(request)
            except httpx.ConnectTimeout:
                failure = Result(error="timed_out")
                continue
            except httpx.ConnectError as error:
                is_tls = isinstance(_root(error), ssl.SSLError)
                failure = Result(error="tls_failed" if is_tls else "connection_failed")
                continue
            except httpx.TimeoutException:
                raise
            except httpx.TransportError:
                return Result(error="connection_lost")
            return await _result(response)
        return failure

    def _request(
        self, url: httpx.URL, address: Address, body: bytes, headers: Mapping[str, str]
    ) -> httpx.Request:
        """Return the request to this very address; TLS checks the certificate of the URL's host."""
        host, within_s = url.raw_host.decode(), self._within_s
        authority = f"[{host}]" if ":" in host else host
        return httpx.Request(
            "POST",
            url.copy_with(host=str(address)),
            content=body,
            headers={
                "Host": authority if url.port is None else f"{authority}:{url.port}",
                "Content-Type": "application/json",
                "User-Agent": self._agent,
                "Accept-Encoding": "identity",
                **headers,
            },
            extensions={
                "sni_hostname": host,
                "timeout": {"connect": CONNECT_S, "read": within_s, "write": within_s, "pool": within_s},
            },
        )

    def _transport(self, url: httpx.URL) -> httpx.AsyncHTTPTransport:
        """Return the connections of a host: one that TLS opened for another host is never used."""
        origin = url.scheme, url.host, _port(url)
        transport = self._transports.pop(origin, None)
        if transport is None:
            limits = httpx.Limits(max_keepalive_connections=4, keepalive_expiry=KEPT_ALIVE_S)
            transport = httpx.AsyncHTTPTransport(verify=self._tls, limits=limits, trust_env=False)
        self._transports[origin] = transport  # the newest last
        return transport

    async def forget_idle(self) -> None:
        """Close the connections of hosts that have not been used for long, beyond ORIGINS_KEPT."""
        while len(self._transports) > ORIGINS_KEPT:
            transport = self._transports.pop(next(iter(self._transports)))
            await transport.aclose()


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


async def _result(response: httpx.Response) -> Result:
    """Read the answer, at most ANSWER_BYTES of it, and close it."""
    try:
        size = 0
        with suppress(httpx.TransportError):  # the status is there, and it counts
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > ANSWER_BYTES:
                    break
    finally:
        await response.aclose()
    status = response.status_code
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Result(status)
    return Result(status, "http_status", _retry_after_s(response.headers.get("Retry-After", "")))


def _retry_after_s(text: str) -> float:
    return float(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else 0.0  # digits


def _root(error: BaseException) -> BaseException:
    """Return the first cause of an error."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
