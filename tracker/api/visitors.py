"""Visitors: who asks, as far as limits and a merchant's log may know."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

import msgspec
from quart import has_websocket_context, request, websocket

KEPT_BITS: Final = {4: 24, 6: 48}  # of an address, for the log
HOME_BITS: Final = 64  # of an IPv6 address: one customer has all that lie below
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


class Visitor(msgspec.Struct, frozen=True):
    """One customer's program."""

    address: str  # what counts as one address for limits; empty where it is not known
    network: str | None
    agent: str | None


def visitor() -> Visitor:
    """Whoever sent the present request."""
    asked = websocket if has_websocket_context() else request
    client = asked.scope.get("client") or ("",)
    address = client_address(client[0], asked.headers.get("X-Forwarded-For"))
    return Visitor(counted(address), network(address), agent_family(asked.headers.get("User-Agent")))


def client_address(peer: str, forwarded: str | None) -> IPv4Address | IPv6Address | None:
    """The peer's, or what a proxy beside us added last to X-Forwarded-For; nobody else is believed."""
    address = _parsed(peer)
    if forwarded and address is not None and (address.is_loopback or address.is_private):
        return _parsed(forwarded.rpartition(",")[2]) or address
    return address


def counted(address: IPv4Address | IPv6Address | None) -> str:
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


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address
