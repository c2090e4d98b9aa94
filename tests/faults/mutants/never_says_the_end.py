"""Mutant: watching customers are not told that the order is over."""

from tracker.__main__ import main
from tracker.live.delivery.hub import Hub
from tracker.messages import End


def _nothing(self: Hub, order_id: str, end: End) -> None:
    pass


if __name__ == "__main__":
    Hub.finish = _nothing  # type: ignore[method-assign]
    main()
