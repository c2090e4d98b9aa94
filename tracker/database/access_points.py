"""Access points: where drivers stop to serve a place."""

from collections.abc import Iterable, Sequence

from tracker.database.pool import Connection, Queries
from tracker.domain.arrival.access_points import AccessPoint
from tracker.domain.geo import LonLat


async def select_pins(queries: Queries, places: Iterable[str]) -> dict[str, list[AccessPoint]]:
    """Return the access points of each place, the most used first."""
    found: dict[str, list[AccessPoint]] = {}
    for place, lat, lon, *counts in await queries.fetch("select_pins", list(places)):
        found.setdefault(place, []).append(AccessPoint(LonLat(lon, lat), *counts))
    return found


async def lock_pins(connection: Connection, place: str) -> list[AccessPoint]:
    """Lock the access points of a place until the commit, and return them."""
    await connection.execute("lock_pins", place)
    return (await select_pins(connection, [place])).get(place, [])


async def replace_pins(connection: Connection, place: str, pins: Sequence[AccessPoint]) -> None:
    """Replace the access points of a place, which the caller has locked."""
    await connection.execute("delete_pins", place)
    columns = [[pin.at.lat for pin in pins], [pin.at.lon for pin in pins], [pin.n for pin in pins]]
    dwells = [[pin.dwells for pin in pins], [pin.dwell_s for pin in pins]]
    await connection.execute("insert_pins", place, *columns, *dwells)
