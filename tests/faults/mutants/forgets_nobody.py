"""Mutant: who goes is kept among those who are there."""

from tracker.__main__ import main
from tracker.live.drivers.connections import DriverConnections
from tracker.live.drivers.trip import ConnectedDriver


def _nothing(self: DriverConnections, driver_id: str, connection: ConnectedDriver) -> None:
    pass


if __name__ == "__main__":
    DriverConnections.disconnect = _nothing  # type: ignore[method-assign]
    main()
