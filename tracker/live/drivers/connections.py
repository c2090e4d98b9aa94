"""DriverConnections: the newest connection of each role of each driver who is connected to this node."""

import asyncio
from typing import Final
from weakref import WeakKeyDictionary

from tracker.domain.driver.role import Role
from tracker.domain.driver.silence import Departure
from tracker.errors import RateLimited
from tracker.live.drivers.recent_tokens import RecentTokens
from tracker.live.drivers.trip import ConnectedDriver
from tracker.messages import ToDriver
from tracker.metrics import Metrics
from tracker.rate_limits import RateLimit

REPLACED_AT_ONCE: Final = 5  # replaced connections of one role of one driver
REPLACED_PER_S: Final = 0.1

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
        self.recent_tokens = RecentTokens()
        self.revocations = 0  # so far; if it grows between authentication and `connect`, authenticate again

    def __contains__(self, driver_id: str) -> bool:
        return driver_id in self._by_driver

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
        for connection in list(self._by_driver.get(driver_id, {}).values()):
            connection.push(message)

    def connect(self, driver_id: str, connection: ConnectedDriver, since: Since = NEVER) -> None:
        """Register a connection and close the driver's older one of its role as replaced.

        *since* decides between nodes which connection is newer.

        Raises RateLimited if two devices with one role keep replacing each other; the older one stays.
        """
        role = connection.role
        older = self._by_driver.get(driver_id, {}).get(role)
        now = asyncio.get_running_loop().time()
        if older is not None and not self._replacements.try_take(f"{driver_id} {role}", 1.0, now):
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
        own = self._by_driver.get(driver_id, {})
        if role in own and self._since[own[role]] < newer:
            own.pop(role).replace()
        if not own:
            self._by_driver.pop(driver_id, None)
        self._count()

    def disconnect(self, driver_id: str, connection: ConnectedDriver) -> None:
        """Remove a connection, unless a newer one has replaced it."""
        own = self._by_driver.get(driver_id, {})
        for role in [role for role, each in own.items() if each is connection]:
            del own[role]
            if role == "source":
                self._departures[driver_id] = connection.departure
        if not own:
            self._by_driver.pop(driver_id, None)
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
        if not own:
            self._by_driver.pop(driver_id, None)

    async def drain(self) -> None:
        """Acknowledge what is in flight and close every connection with 1012."""
        every = [connection for own in self._by_driver.values() for connection in own.values()]
        await asyncio.gather(*(connection.drain() for connection in every))

    def _count(self) -> None:
        self._metrics.drivers.set(len(self._by_driver))
