"""Whose address counts: the peer's, and what configured proxies say of those before them."""

from ipaddress import ip_address

import pytest

from tracker.api.client_info import client_address
from tracker.config import Config

PROXIES = Config(trusted_proxies="10.0.0.0/8, ::1").proxies


@pytest.mark.parametrize(
    ("peer", "forwarded", "counts"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # anybody may write that header
        ("127.0.0.1", "198.51.100.1", "127.0.0.1"),  # this one was not configured
        ("10.1.1.1", "198.51.100.1", "198.51.100.1"),
        ("::1", "198.51.100.1", "198.51.100.1"),
        ("10.1.1.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),  # the first is the visitor's own invention
        ("10.1.1.1", "192.0.2.66, 198.51.100.1, 10.2.2.2", "198.51.100.1"),  # two proxies of ours
        ("10.1.1.1", "10.2.2.2", "10.2.2.2"),
        ("10.1.1.1", "nonsense", "10.1.1.1"),
        ("10.1.1.1", "", "10.1.1.1"),
        ("::ffff:10.1.1.1", "2001:db8::7", "2001:db8::7"),
        ("10.1.1.1", "198.51.100.1:52001", "198.51.100.1"),  # some gateways write the port too
        ("10.1.1.1", "192.0.2.66, [2001:db8::7]:443", "2001:db8::7"),
        ("10.1.1.1", "[2001:db8::7]", "2001:db8::7"),
    ],
)
def test_only_configured_proxies_are_believed(peer: str, forwarded: str, counts: str) -> None:
    """X-Forwarded-For is read from its end, as far as configured proxies wrote it."""
    assert client_address(peer, forwarded, PROXIES) == ip_address(counts)
    assert client_address(peer, forwarded, ()) in {ip_address(peer), ip_address(peer.replace("::ffff:", ""))}
