"""RecentTokens: the drivers whose tokens were looked up within the last second."""

from collections import OrderedDict
from typing import Final

from tracker.domain.order import Driver

KEPT_S: Final = 1.0  # a revocation by another node is noticed after it
MOST_TOKENS: Final = 10_000  # the oldest is dropped first


class RecentTokens:
    """Drivers by the hash of their token, so that a burst of messages costs one look-up a second."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, tuple[float, Driver]] = OrderedDict()  # oldest look-up first

    def __len__(self) -> int:
        return len(self._found)

    def get(self, token_hash: bytes, now: float) -> Driver | None:
        """Return the driver with this token; None if it has to be looked up. *now* is monotonic."""
        found = self._found.get(token_hash)
        return None if found is None or now - found[0] >= KEPT_S else found[1]

    def add(self, token_hash: bytes, driver: Driver, now: float) -> None:
        """Keep the result of a look-up that began at *now*."""
        self._found[token_hash] = now, driver
        self._found.move_to_end(token_hash)
        while len(self._found) > MOST_TOKENS or now - next(iter(self._found.values()))[0] >= KEPT_S:
            self._found.popitem(last=False)

    def clear(self) -> None:
        """Forget all: a token was revoked."""
        self._found.clear()
