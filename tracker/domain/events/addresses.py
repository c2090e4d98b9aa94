"""Addresses that webhooks may have: no way from a URL into the network of the service."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

URL_LENGTH: Final = 2_000  # characters
PORTS: Final = (80, 443)  # and all from FIRST_FREE_PORT on: those between are of other services
FIRST_FREE_PORT: Final = 1024

# Addresses at which clouds tell a machine its secrets, besides the link-local ones.
METADATA: Final = frozenset(
    map(ip_address, ("168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254"))
)
_SHARED: Final = IPv4Network("100.64.0.0/10")
_SITE_LOCAL: Final = IPv6Network("fec0::/10")
_LAST_32_BITS: Final = tuple(
    map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96", "::ffff:0:0/96"))
)
_ISATAP: Final = 0x5EFE
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)


def url_fault(url: str, *, private: bool) -> str | None:
    """Return what is wrong with a webhook's URL; None: nothing. *private*: http and private addresses may be.

    A name is not resolved here: its addresses are checked at each connection.
    """
    if len(url) > URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return f"must have at most {URL_LENGTH} printable ASCII characters, without spaces"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "must be a URL such as https://shop.example/events"
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        return "must begin with https://"
    if not host or "@" in parts.netloc or "#" in url:
        return "must have a host, and neither a user name nor a fragment"
    if port is not None and port not in PORTS and port < FIRST_FREE_PORT:
        return f"must have the port 80 or 443, or one of {FIRST_FREE_PORT} or more"
    return _host_fault(host.rstrip("."), private=private)


def _host_fault(host: str, *, private: bool) -> str | None:
    is_allowed_host = private or (host != "localhost" and not host.endswith(".localhost"))
    try:
        is_allowed_host = is_allowed(ip_address(host), private=private)
    except ValueError:
        if _NUMBER.fullmatch(host.rpartition(".")[2]):  # such as 0x7f.1, which systems read as 127.0.0.1
            return "must have a name, or an address such as 192.0.2.1 or [2001:db8::1]"
    if not is_allowed_host:
        return "must not have a private address; TRACKER_WEBHOOKS_PRIVATE allows them"
    return None


def is_allowed(address: IPv4Address | IPv6Address, *, private: bool) -> bool:
    """Return whether a webhook may go to this address; with *private*, also a private or loopback one.

    An IPv6 address that holds an IPv4 address is judged by that. Nothing goes to link-local, multicast and
    unspecified addresses, nor to those of cloud metadata.
    """
    if address.is_loopback:
        return private
    inner = None if isinstance(address, IPv4Address) else _embedded(address)
    if inner is not None:
        return is_allowed(inner, private=private)
    if address in METADATA or address.is_unspecified or address.is_multicast or address.is_link_local:
        return False
    if address.is_reserved or address in _SITE_LOCAL:
        return False
    return private if address.is_private or address in _SHARED else address.is_global


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address in a mapped, translated (NAT64), 6to4, Teredo or ISATAP address."""
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    last = int(address) & 0xFFFF_FFFF
    is_isatap = (int(address) >> 32) & 0xFFFF == _ISATAP
    if is_isatap or (any(address in network for network in _LAST_32_BITS) and int(address) > 1):
        return IPv4Address(last)
    return None
