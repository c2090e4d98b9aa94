"""Mutant: who goes is kept among those who are there."""

from tracker.__main__ import main
from tracker.live.fleet import Fleet
from tracker.live.trip import ConnectedDriver


def _nothing(self: Fleet, driver_id: str, connection: ConnectedDriver) -> None:
    pass


if __name__ == "__main__":
    Fleet.disconnect = _nothing  # type: ignore[method-assign]
    main()
