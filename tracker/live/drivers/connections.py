"""DriverConnections: the newest connection of each role of each driver who is connected to this node."""

import asyncio
from collections.abc import Collection, Iterable
from math import inf
from time import monotonic
from typing import Final
from weakref import WeakKeyDictionary

from tracker.domain.driver.role import Role
from tracker.domain.driver.silence import Departure
from tracker.errors import RateLimited
from tracker.live.drivers.recent_tokens import RecentTokens
from tracker.live.drivers.trip import ConnectedDriver
from tracker.messages import DutyChange, PolicyChange, ToDriver
from tracker.metrics import Metrics
from tracker.rate_limits import RateLimit

REPLACED_AT_ONCE: Final = 5  # replaced connections of one role of one driver
REPLACED_PER_S: Final = 0.1
REPLACED_ELSEWHERE_S: Final = 1 / REPLACED_PER_S  # in which a return counts as another replacement

type Since = tuple[float, str]
"""When a device connected, in seconds since 1970, and to which node. The node decides between equal times."""

NEVER: Final[Since] = (0.0, "")


class DriverConnections:
    """The connections by driver and role; the metrics count the drivers."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._by_driver: dict[str, dict[Role, ConnectedDriver]] = {}
        self._since: WeakKeyDictionary[ConnectedDriver, Since] = WeakKeyDictionary()
        self._departures: dict[str, Departure] = {}  # of position sources that are not connected
        self._replacements = RateLimit(REPLACED_AT_ONCE, REPLACED_PER_S)
        self._replaced_at: dict[str, float] = {}  # by a connection to another node, oldest first
        self._told: dict[str, dict[type, tuple[ToDriver, float]]] = {}  # newest duty and policy, and when
        self.sent_away: set[str] = set()  # drivers who have not arrived at another node yet
        self.recent_tokens = RecentTokens()
        self.revocations = 0  # so far; if it grows between authentication and `connect`, authenticate again

    def __contains__(self, driver_id: str) -> bool:
        return driver_id in self._by_driver

    def __len__(self) -> int:
        return sum(map(len, self._by_driver.values()))

    def has_source(self, driver_id: str) -> bool:
        """Whether the driver's position source is connected to this node."""
        return "source" in self._by_driver.get(driver_id, {})

    def drivers(self) -> list[str]:
        """Return the drivers who are connected to this node."""
        return list(self._by_driver)

    def tokens(self) -> dict[bytes, str]:
        """Return the hashes of the tokens of all connections, and their drivers."""
        owned = self._by_driver.items()
        return {one.token_hash: driver_id for driver_id, own in owned for one in own.values()}

    def push(self, driver_id: str, message: ToDriver) -> None:
        """Send a message to the driver's connections, if there are any."""
        self.note_told(driver_id, message)
        for connection in list(self._by_driver.get(driver_id, {}).values()):
            connection.push(message)

    def note_told(self, driver_id: str, *messages: ToDriver) -> None:
        """Note the duty and the policy that the driver's devices know."""
        for message in messages:
            if driver_id in self._by_driver and isinstance(message, DutyChange | PolicyChange):
                self._told.setdefault(driver_id, {})[type(message)] = message, monotonic()

    def restate(self, driver_id: str, message: DutyChange | PolicyChange, since: float) -> None:
        """Send a duty or policy that was read at *since*, by `monotonic`, if the devices do not know it."""
        known, at = self._told.get(driver_id, {}).get(type(message), (None, -inf))
        if known != message and at < since:
            self.push(driver_id, message)

    def connect(self, driver_id: str, connection: ConnectedDriver, since: Since = NEVER) -> None:
        """Register a connection and close the driver's older one of its role as replaced.

        *since* decides between nodes which connection is newer.

        Raises RateLimited if two devices with one role keep replacing each other; the older one stays.
        """
        role, now = connection.role, asyncio.get_running_loop().time()
        older, key = self._by_driver.get(driver_id, {}).get(role), f"{driver_id} {role}"
        is_replacement = older is not None or key in self._replaced_at_since(now - REPLACED_ELSEWHERE_S)
        if is_replacement and not self._replacements.try_take(key, 1.0, now):
            raise RateLimited(
                f"Another {role} of this driver is connected, and too many replaced it; retry later."
            )
        self._by_driver.setdefault(driver_id, {})[role] = connection
        self._since[connection] = since
        if role == "source":
            self._departures.pop(driver_id, None)
        self._count()
        if older is not None:
            older.replace()

    def replace(self, driver_id: str, role: Role, newer: Since) -> None:
        """Close the driver's connection of this role if another node has a newer one."""
        self.sent_away.discard(driver_id)
        own = self._by_driver.get(driver_id, {})
        if role in own and self._since[own[role]] < newer:
            key, now = f"{driver_id} {role}", asyncio.get_running_loop().time()
            self._replacements.take(key, 1.0, now)
            self._replaced_at.pop(key, None)
            self._replaced_at[key] = now
            own.pop(role).replace()
        self._drop_empty(driver_id)
        self._count()

    def _replaced_at_since(self, since: float) -> dict[str, float]:
        """Return which connections were replaced from other nodes since then; forget the earlier ones."""
        while self._replaced_at and next(iter(self._replaced_at.values())) < since:
            del self._replaced_at[next(iter(self._replaced_at))]
        return self._replaced_at

    def disconnect(self, driver_id: str, connection: ConnectedDriver) -> None:
        """Remove a connection, unless a newer one has replaced it."""
        own = self._by_driver.get(driver_id, {})
        for role in [role for role, each in own.items() if each is connection]:
            del own[role]
            if role == "source":
                self._departures[driver_id] = connection.departure
        self._drop_empty(driver_id)
        self._count()

    def departure(self, driver_id: str) -> Departure | None:
        """Return how the last position source ended; None if one is connected, or none was."""
        return self._departures.get(driver_id)

    def note_departure(self, driver_id: str, departure: Departure | None) -> None:
        """Record how a source without a WebSocket ended, such as by an MQTT last will; None: it sends."""
        if departure is None:
            self._departures.pop(driver_id, None)
        else:
            self._departures[driver_id] = departure

    def revoke(self, driver_id: str, token_hash: bytes | None = None) -> None:
        """Close the driver's connections with this token, or all, because the token is no longer valid."""
        self.revocations += 1
        self.recent_tokens.clear()
        own = self._by_driver.get(driver_id, {})
        for role, connection in list(own.items()):
            if token_hash in (None, connection.token_hash):
                del own[role]
                connection.revoke()
        self._drop_empty(driver_id)

    async def settle(self, driver_ids: Iterable[str]) -> None:
        """Read nothing more from these drivers, and return once what they have sent is acknowledged."""
        await asyncio.gather(*(connection.settle() for connection in self._of(driver_ids)))

    def restart(self, driver_ids: Collection[str]) -> None:
        """Close these drivers' connections with 1012."""
        self.sent_away.update(driver_ids)
        for connection in self._of(driver_ids):
            connection.restart()

    def _of(self, driver_ids: Iterable[str]) -> list[ConnectedDriver]:
        return [one for driver_id in driver_ids for one in self._by_driver.get(driver_id, {}).values()]

    def _drop_empty(self, driver_id: str) -> None:
        """Forget a driver without a connection."""
        if not self._by_driver.get(driver_id):
            self._by_driver.pop(driver_id, None)
            self._told.pop(driver_id, None)

    def _count(self) -> None:
        self._metrics.drivers.set(len(self._by_driver))
