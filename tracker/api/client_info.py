"""Client information: the address and program of the client, as limits and a merchant's log may use them."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
import structlog
from quart import has_websocket_context, request, websocket
from quart.wrappers.base import BaseRequestWebsocket

from tracker.config import Networks
from tracker.node import current_node

KEPT_BITS: Final = {4: 24, 6: 48}  # of an address in the log, by IP version
HOME_BITS: Final = 64  # of an IPv6 address: one customer owns the whole /64
HOST: Final = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
ADDRESS_WITH_PORT: Final = re.compile(r"\[(.+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")  # as some proxies write it
FORWARDED: Final = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"})
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
PURPOSES: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")  # `prefetch`, `prefetch;prerender`
AGENT_LENGTH: Final = 200  # characters of a User-Agent that are examined

# The first match counts: browsers also name the browsers that they claim compatibility with.
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


# Programs that fetch a link to preview it, including those that run its script. Cubot is a brand of phones.
_PREVIEW: Final = re.compile(
    r"(?<!cu)bot\b|crawler|spider|preview|facebookexternalhit|^whatsapp/|embedly|vkshare|slack-imgproxy",
    re.IGNORECASE,
)


log = structlog.get_logger()


class ClientInfo(msgspec.Struct, frozen=True):
    """A customer's program. Properties that only the log needs are computed on access."""

    ip: IPv4Address | IPv6Address | None
    user_agent: str | None
    purpose: str = ""  # such as `prefetch`, in lower case; empty if the browser sends none

    @property
    def is_watching(self) -> bool:
        """Whether a person watches the page: not a prefetch, nor a program that makes link previews."""
        agent = (self.user_agent or "")[:AGENT_LENGTH]
        return "prefetch" not in self.purpose and "preview" not in self.purpose and not _PREVIEW.search(agent)

    @property
    def address(self) -> str:
        """The address as limits count it; empty if unknown."""
        return limit_key(self.ip)

    @property
    def network(self) -> str | None:
        return network(self.ip)

    @property
    def agent(self) -> str | None:
        return agent_family(self.user_agent)


def client_info() -> ClientInfo:
    """Return the client of the current request."""
    current = current_request()
    proxies = current_node().config.proxies
    address = client_address(_peer(current), _forwarded(current, "X-Forwarded-For"), proxies)
    purpose = ",".join(current.headers.get(name, "") for name in PURPOSES).lower()
    return ClientInfo(address, current.headers.get("User-Agent"), purpose)


def base_url() -> str:
    """Return the start of this service's URLs, without a slash at the end."""
    return (current_node().config.public_url or request_base_url()).rstrip("/")


def public_path(path: str) -> str:
    """Return the path at which clients find *path*: below the path prefix of TRACKER_PUBLIC_URL."""
    return current_node().config.path_prefix + path


def request_base_url() -> str:
    """Return the origin that the client asked, with a slash, such as `https://track.example/`."""
    current = current_request()
    host = current.host
    if is_from_trusted_proxy(current):
        host = _nearest_value(_forwarded(current, "X-Forwarded-Host")) or host
    return f"{request_scheme()}://{host if HOST.fullmatch(host) else current.host}/"


def request_scheme() -> Literal["http", "https"]:
    """Return whether the client asked over TLS."""
    current = current_request()
    scheme = current.scheme
    if is_from_trusted_proxy(current):
        scheme = _nearest_value(_forwarded(current, "X-Forwarded-Proto")).lower() or scheme
    return "https" if scheme in {"https", "wss"} else "http"


def is_own_origin(origin: str) -> bool:
    """Return whether a page with this `Origin` is one of this service's own."""
    return origin_of(origin) in {origin_of(request_base_url()), origin_of(base_url())} - {None}


def origin_of(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an http URL; None if it has no such origin, as `null`."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return None if parts.hostname is None else (parts.scheme, parts.hostname, port)


def is_loopback(host: str) -> bool:
    """Return whether a host name is this machine for every browser."""
    address = _parse_address(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback


async def warn_of_untrusted_proxy() -> None:
    """Log once if a peer that is not a configured proxy sends X-Forwarded-… headers, which are ignored."""
    current = current_request()
    # The bytes of the head: a look-up of an absent header in Quart's object raises and catches an error.
    if FORWARDED.isdisjoint([name for name, _ in current.scope["headers"]]):  # in lower case (ASGI)
        return
    node = current_node()
    if "untrusted_proxy" in node.warned:
        return
    peer = _parse_address(_peer(current))
    if is_trusted(peer, node.config.proxies):
        return
    node.warned.add("untrusted_proxy")
    shown = network(peer) if peer is None or peer.is_global else str(peer)  # a global one may be a customer's
    hint = "if the peer is your reverse proxy, add its address to TRACKER_TRUSTED_PROXIES"
    log.warning("forwarded_headers_ignored", peer=shown, hint=hint)


def client_address(peer: str, forwarded: str, proxies: Networks) -> IPv4Address | IPv6Address | None:
    """Return the address of the client: the peer's, or the one that trusted proxies forward.

    X-Forwarded-For is read from its end. Entries before the first untrusted address are ignored.
    """
    address = _parse_address(peer)
    claims = forwarded.split(",")
    while claims and is_trusted(address, proxies):
        claimed = _parse_address(claims.pop())
        if claimed is None:
            break
        address = claimed
    return address


def is_trusted(address: IPv4Address | IPv6Address | None, proxies: Networks) -> bool:
    """Return whether this is a configured proxy."""
    return address is not None and any(address in each for each in proxies)


def is_from_trusted_proxy(current: BaseRequestWebsocket) -> bool:
    """Return whether the peer that sent *current* is a configured proxy."""
    proxies = current_node().config.proxies
    return bool(proxies) and is_trusted(_parse_address(_peer(current)), proxies)


def current_request() -> BaseRequestWebsocket:
    current: BaseRequestWebsocket = websocket if has_websocket_context() else request
    return current


def _peer(current: BaseRequestWebsocket) -> str:
    client = current.scope.get("client") or ("",)
    return str(client[0])


def _forwarded(current: BaseRequestWebsocket, name: str) -> str:
    """Return a header's values, joined: a proxy may add a line of its own below the client's."""
    return ",".join(current.headers.getlist(name))


def _nearest_value(header: str) -> str:
    """Return the value that the nearest proxy added."""
    return header.rpartition(",")[2].strip()


def limit_key(address: IPv4Address | IPv6Address | None) -> str:
    if address is None:
        return ""
    return str(address) if address.version == 4 else str(ip_network((address, HOME_BITS), strict=False))


def network(address: IPv4Address | IPv6Address | None) -> str | None:
    """Return the network of an address, which many customers share."""
    return None if address is None else str(ip_network((address, KEPT_BITS[address.version]), strict=False))


def agent_family(agent: str | None) -> str | None:
    """Return such as `Firefox on Android`, without a version, which could identify a customer."""
    if not agent:
        return None
    agent = agent[:AGENT_LENGTH]
    browser = _first(_BROWSERS, agent)
    system = _first(_SYSTEMS, agent)
    return " on ".join(name for name in (browser or "Other", system) if name)


def _first(names: tuple[tuple[str, str], ...], agent: str) -> str | None:
    return next((name for sign, name in names if sign.lower() in agent.lower()), None)


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    with_port = ADDRESS_WITH_PORT.fullmatch(text.strip())
    try:
        address = ip_address((with_port[1] or with_port[2]) if with_port else text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address
