"""Visitors: who asks, as far as limits and a merchant's log may know."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

import msgspec
from quart import has_websocket_context, request, websocket
from quart.wrappers.base import BaseRequestWebsocket

from tracker.config import Networks
from tracker.node import parts

KEPT_BITS: Final = {4: 24, 6: 48}  # of an address, for the log
HOME_BITS: Final = 64  # of an IPv6 address: one customer has all that lie below
HOST: Final = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
PURPOSES: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")  # `prefetch`, `prefetch;prerender`
AGENT_LENGTH: Final = 200  # letters of a User-Agent that are looked at

# The first that occurs: browsers also name those that they want to be taken for.
_BROWSERS: Final = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
    ("curl", "curl"), ("python", "Python"),
    ("bot", "Bot"), ("node", "Node.js"), ("okhttp", "OkHttp"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("Mac OS X", "Mac"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


# Programs that fetch a link to preview it, including those that run its script. Cubot makes phones.
_PREVIEW: Final = re.compile(
    r"(?<!cu)bot\b|crawler|spider|preview|facebookexternalhit|^whatsapp/|embedly|vkshare|slack-imgproxy",
    re.IGNORECASE,
)


class ClientInfo(msgspec.Struct, frozen=True):
    """One customer's program; what only the log wants to know is found out when it asks."""

    ip: IPv4Address | IPv6Address | None
    user_agent: str | None
    purpose: str = ""  # why a browser asks, where it says that nobody looks yet

    @property
    def is_watching(self) -> bool:
        """Whether a page runs for somebody: no prefetch, and no program that makes previews of links."""
        agent = (self.user_agent or "")[:AGENT_LENGTH]
        return "prefetch" not in self.purpose and "preview" not in self.purpose and not _PREVIEW.search(agent)

    @property
    def address(self) -> str:
        """What counts as one address for limits; empty where it is not known."""
        return limit_key(self.ip)

    @property
    def network(self) -> str | None:
        return network(self.ip)

    @property
    def agent(self) -> str | None:
        return agent_family(self.user_agent)


def client_info() -> ClientInfo:
    """Whoever sent the present request."""
    current = _current_request()
    address = client_address(_peer(current), current.headers.get("X-Forwarded-For"), parts().config.proxies)
    purpose = ",".join(current.headers.get(name, "") for name in PURPOSES).lower()
    return ClientInfo(address, current.headers.get("User-Agent"), purpose)


def request_base_url() -> str:
    """What the visitor's own address begins with, as `https://track.example/`."""
    current = _current_request()
    scheme, host = current.scheme, current.host
    if is_trusted(_parse_address(_peer(current)), parts().config.proxies):
        scheme = _nearest_value(current.headers.get("X-Forwarded-Proto", "")).lower() or scheme
        host = _nearest_value(current.headers.get("X-Forwarded-Host", "")) or host
    secure = scheme in {"https", "wss"}
    return f"{'https' if secure else 'http'}://{host if HOST.fullmatch(host) else current.host}/"


def client_address(peer: str, forwarded: str | None, proxies: Networks) -> IPv4Address | IPv6Address | None:
    """The peer's; where it is a proxy of ours, what it and those before it added to X-Forwarded-For.

    Read from the end: whatever the first that is no proxy of ours claims about others is not believed.
    """
    address = _parse_address(peer)
    claims = (forwarded or "").split(",")
    while claims and is_trusted(address, proxies):
        claimed = _parse_address(claims.pop())
        if claimed is None:
            break
        address = claimed
    return address


def is_trusted(address: IPv4Address | IPv6Address | None, proxies: Networks) -> bool:
    """Whether this is a proxy that was configured."""
    return address is not None and any(address in each for each in proxies)


def _current_request() -> BaseRequestWebsocket:
    current: BaseRequestWebsocket = websocket if has_websocket_context() else request
    return current


def _peer(current: BaseRequestWebsocket) -> str:
    client = current.scope.get("client") or ("",)
    return str(client[0])


def _nearest_value(header: str) -> str:
    """What the proxy nearest to us said."""
    return header.rpartition(",")[2].strip()


def limit_key(address: IPv4Address | IPv6Address | None) -> str:
    if address is None:
        return ""
    return str(address) if address.version == 4 else str(ip_network((address, HOME_BITS), strict=False))


def network(address: IPv4Address | IPv6Address | None) -> str | None:
    """The address with what tells one customer from the neighbours taken away."""
    return None if address is None else str(ip_network((address, KEPT_BITS[address.version]), strict=False))


def agent_family(agent: str | None) -> str | None:
    """`Firefox on Android`; no version, nothing that tells two customers apart."""
    if not agent:
        return None
    agent = agent[:AGENT_LENGTH]
    browser = _first(_BROWSERS, agent)
    system = _first(_SYSTEMS, agent)
    return " on ".join(name for name in (browser or "Other", system) if name)


def _first(names: tuple[tuple[str, str], ...], agent: str) -> str | None:
    return next((name for sign, name in names if sign.lower() in agent.lower()), None)


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address
