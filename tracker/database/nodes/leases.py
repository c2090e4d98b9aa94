"""Leases: which node owns which driver's trip. The database's clock decides when a node is gone."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import NamedTuple

from tracker.database.pool import Connection, Database, Queries
from tracker.errors import NotFound


class Owner(NamedTuple):
    """The node that owns a driver's trip. A higher generation is a later owner."""

    node: str
    generation: int


async def beat(database: Database, node: str, lasts: timedelta) -> frozenset[str]:
    """Renew the node's row and return the other nodes that run.

    It takes the spare connection for fixes, so that slow requests of the API cannot make a node look dead.
    """
    async with database.ingesting() as raw:
        rows = await Connection(raw).fetch("beat_node", node, lasts)
    return frozenset(row["id"] for row in rows)


class RunningNode(NamedTuple):
    """A node that runs. What it says of itself is None if it is older than those columns."""

    id: str
    version: str | None
    installation: str | None
    bus: str | None


async def describe_node(queries: Queries, node: str, version: str, installation: str, bus: str) -> None:
    """Store what `tracker check` compares between nodes."""
    await queries.execute("describe_node", node, version, installation, bus)


async def select_running_nodes(queries: Queries) -> list[RunningNode]:
    """Return the nodes that run now."""
    return [RunningNode(*row) for row in await queries.fetch("select_running_nodes")]


async def delete_node(queries: Queries, node: str) -> None:
    """Release all leases of a node that stops."""
    await queries.execute("delete_node", node)


async def delete_gone_nodes(queries: Queries) -> None:
    """Delete the rows of nodes that were killed long ago."""
    await queries.execute("delete_gone_nodes")


async def select_leases(queries: Queries, node: str) -> dict[str, int]:
    """Return the generations of the node's leases by driver id."""
    return {row["id"]: row["generation"] for row in await queries.fetch("select_leases_of_node", node)}


async def take_lease(database: Database, driver_id: str, node: str) -> Owner:
    """Make *node* the owner of the driver's trip, unless another running node is; return the owner.

    It waits for commits of fixes that the former owner judged. Raises NotFound, StorageUnavailable.
    """
    async with database.transaction() as connection:
        number = await connection.fetchval("lock_driver_for_lease", driver_id)
        if number is None:
            raise NotFound("driver")
        other = await connection.fetchrow("lock_lease_owner", number, node)
        if other is not None and other["runs"]:
            return Owner(other["id"], 0)
        return Owner(node, await connection.fetchval("upsert_lease", number, node))


async def release_leases(queries: Queries, node: str, driver_ids: Iterable[str]) -> None:
    """Give up the ownership of these drivers' trips, if *node* has it."""
    await queries.execute("release_leases", node, list(driver_ids))


async def outdate_lease(queries: Queries, number: int) -> int:
    """Make every node read the driver again before it owns the trip; return the new generation."""
    generation: int = await queries.fetchval("outdate_lease", number)
    return generation


async def hold_role(queries: Queries, role: str, node: str) -> bool:
    """Take a role that no other running node has, or keep it; return whether *node* has it now."""
    return await queries.fetchrow("hold_role", role, node) is not None


async def select_owners(queries: Queries, driver_ids: Collection[str]) -> dict[str, Owner]:
    """Return the running owners by driver id."""
    rows = await queries.fetch("select_owners", list(driver_ids))
    return {row["id"]: Owner(row["node"], row["generation"]) for row in rows}
