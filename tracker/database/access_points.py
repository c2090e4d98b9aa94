"""Access points: where drivers stop to serve a place."""

from collections.abc import Iterable, Sequence

from tracker.database.pool import Connection, Queries
from tracker.domain.arrival.access_points import AccessPoint
from tracker.domain.geo import LonLat


async def select_access_points(queries: Queries, places: Iterable[str]) -> dict[str, list[AccessPoint]]:
    """Return the access points of each place, the most used first."""
    found: dict[str, list[AccessPoint]] = {}
    for place, lat, lon, *counts in await queries.fetch("select_access_points", list(places)):
        found.setdefault(place, []).append(AccessPoint(LonLat(lon, lat), *counts))
    return found


async def lock_access_points(connection: Connection, place: str) -> list[AccessPoint]:
    """Lock the access points of a place until the commit, and return them."""
    await connection.execute("lock_access_points", place)
    return (await select_access_points(connection, [place])).get(place, [])


async def replace_access_points(connection: Connection, place: str, points: Sequence[AccessPoint]) -> None:
    """Replace the access points of a place, which the caller has locked."""
    await connection.execute("delete_access_points", place)
    columns = [
        [point.at.lat for point in points],
        [point.at.lon for point in points],
        [point.n for point in points],
    ]
    dwells = [[point.dwells for point in points], [point.dwell_s for point in points]]
    await connection.execute("insert_access_points", place, *columns, *dwells)
