"""DriverConnections: how the last position source ended, who replaces whom, and what devices know."""

from time import monotonic

import pytest

from tests.live.nodes.site import Device
from tracker.errors import RateLimited
from tracker.live.drivers.connections import REPLACED_AT_ONCE, DriverConnections
from tracker.messages import DutyChange
from tracker.metrics import Metrics


def test_a_last_will_counts_until_the_device_sends_again() -> None:
    """For sources without a WebSocket, which nothing else reports as back."""
    connections = DriverConnections(Metrics())
    assert connections.departure("drv_a") is None
    connections.note_departure("drv_a", "lost")
    assert connections.departure("drv_a") == "lost"
    connections.note_departure("drv_a", None)
    assert connections.departure("drv_a") is None


async def test_devices_that_replace_each_other_on_two_nodes_are_limited() -> None:
    """As on one node: after five times the newer one is refused, and the older one stays."""
    nodes = DriverConnections(Metrics()), DriverConnections(Metrics())
    newest = Device()
    nodes[0].connect("drv_a", newest, (0.0, "a"))
    for number in range(1, REPLACED_AT_ONCE + 1):
        here, elsewhere = nodes[number % 2], nodes[1 - number % 2]
        older, newest = newest, Device()
        here.connect("drv_a", newest, (float(number), "a"))
        elsewhere.replace("drv_a", "source", (float(number), "a"))
        assert older.end == "replaced"
    with pytest.raises(RateLimited):
        elsewhere.connect("drv_a", Device(), (9.0, "a"))
    assert newest.end == ""


async def test_a_device_that_comes_and_goes_alone_is_not_limited() -> None:
    """It replaces nobody, on this node or another one."""
    connections = DriverConnections(Metrics())
    for _ in range(2 * REPLACED_AT_ONCE):
        connections.connect("drv_a", device := Device(), (1.0, "a"))
        connections.disconnect("drv_a", device)


async def test_a_state_is_sent_again_only_to_devices_that_do_not_know_it() -> None:
    """What was read before the newest message is older than that."""
    connections, device = DriverConnections(Metrics()), Device()
    on, off = DutyChange.of("on"), DutyChange.of("off")
    connections.connect("drv_a", device)
    before = monotonic()
    connections.note_told("drv_a", on)
    connections.restate("drv_a", off, before)
    connections.restate("drv_a", on, monotonic() + 1.0)
    assert device.heard == []
    connections.restate("drv_a", off, monotonic() + 1.0)
    assert device.heard == [off]
