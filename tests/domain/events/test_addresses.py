"""Where webhooks may go: no form of a URL or an address leads into the service's own network."""

from ipaddress import ip_address

import pytest

from tracker.domain.events.addresses import is_allowed, url_fault

PUBLIC = (
    *("8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"),
    *("::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"),
)
PRIVATE = (
    *(
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "::1",
    ),
    *("fd12:3456::1", "fc00::1"),
    *(
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "::ffff:0:10.0.0.1",
    ),
    *("64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1"),  # NAT64
    *("2002:0a00:0001::1", "2002:7f00:0001::"),  # 6to4
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo of 10.0.0.1
    "2a00:1450::5efe:10.0.0.1",  # ISATAP
)
NEVER = (
    *(
        "169.254.169.254",
        "fe80::1",
        "fe80::5054:ff:fe12:3456",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
    ),
    *("168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254", "2002:a9fe:a9fe::1"),
    *("0.0.0.0", "::", "224.0.0.1", "239.255.255.250", "ff02::1", "240.0.0.1", "255.255.255.255", "fec0::1"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    """Also those that hold a public IPv4 address."""
    assert is_allowed(ip_address(address), private=False)
    assert is_allowed(ip_address(address), private=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_the_setting(address: str) -> None:
    """In each form that a network may translate into one."""
    assert not is_allowed(ip_address(address), private=False)
    assert is_allowed(ip_address(address), private=True)


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_allowed(address: str) -> None:
    """Cloud metadata, link-local, multicast and no address at all."""
    assert not is_allowed(ip_address(address), private=False)
    assert not is_allowed(ip_address(address), private=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/events",
        "https://shop.example:8443/events?token=abc",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/",
        "https://[2606:2800:220:1:248:1893:25c8:1946]:443/",
    ],
)
def test_public_urls_are_taken(url: str) -> None:
    assert url_fault(url, private=False) is None


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://shop.example/",
            "ftp://shop.example/",
            "file:///etc/passwd",
            "//shop.example/",
            "shop.example",
            "",
        ),
        *("https://", "https:///events", "https://user@shop.example/", "https://user:word@shop.example/"),
        *("https://shop.example/#there", "https://shop.example:22/", "https://shop.example:0/"),
        *("https://shop.example:65536/", "https://shop.example:x/", "https://[::1/", "https://a b.example/"),
        *("https://bücher.example/", "https://shop.example\\@evil.example/", "https://shop.example/\n"),
        "https://shop.example/" + "x" * 2_000,
        *("https://127.0.0.1/", "https://10.1.2.3/", "https://[::1]/", "https://[::ffff:10.0.0.1]/"),
        *("https://localhost/", "https://LOCALHOST./", "https://api.localhost/", "https://169.254.169.254/"),
        *(
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://1.2.3.4.5/",
        ),
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    """With a word about what is allowed."""
    assert url_fault(url, private=False)


def test_the_setting_allows_private_urls_and_http() -> None:
    """But neither metadata nor ports of other services."""
    for url in (
        "http://127.0.0.1:9000/",
        "https://10.0.0.1/",
        "http://localhost:9000/",
        "http://[::1]:9000/",
    ):
        assert url_fault(url, private=True) is None
    for url in ("http://169.254.169.254/latest", "http://127.0.0.1:25/", "http://0x7f.1/"):
        assert url_fault(url, private=True)
