"""DriverConnections: how the last position source ended."""

from tracker.live.drivers.connections import DriverConnections
from tracker.metrics import Metrics


def test_a_last_will_counts_until_the_device_sends_again() -> None:
    """For sources without a WebSocket, which nothing else reports as back."""
    connections = DriverConnections(Metrics())
    assert connections.departure("drv_a") is None
    connections.note_departure("drv_a", "lost")
    assert connections.departure("drv_a") == "lost"
    connections.note_departure("drv_a", None)
    assert connections.departure("drv_a") is None
