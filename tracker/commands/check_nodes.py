"""What `tracker check` says of several nodes: their secrets, versions, bus and clocks."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Final

from tracker.config import Config
from tracker.database import Database
from tracker.database.nodes.leases import RunningNode, select_running_nodes
from tracker.errors import ConfigError
from tracker.live.nodes.opening import installation_of

CLOCK_TOLERANCE: Final = timedelta(seconds=2)


async def check_clock(url: str) -> AsyncIterator[str]:
    """Compare this machine's clock with that of the database. Raises ConfigError."""
    async with Database.open(url) as database:
        begun = datetime.now(UTC)
        theirs: datetime = await database.fetchval("server_time")
        ended = datetime.now(UTC)
    ahead = begun + (ended - begun) / 2 - theirs
    if abs(ahead) > CLOCK_TOLERANCE + (ended - begun) / 2:
        side = "ahead of" if ahead > timedelta(0) else "behind"
        seconds = f"{abs(ahead).total_seconds():.1f} s"
        why = (
            f"this machine's clock is {seconds} {side} the database's; let both follow NTP, such as by chrony"
        )
        raise ConfigError("DATABASE_URL", why)
    yield f"within {CLOCK_TOLERANCE.total_seconds():.0f} s of the database's"


async def check_nodes(config: Config, url: str) -> AsyncIterator[str]:
    """Compare this configuration with the nodes that run on the database. Raises ConfigError."""
    async with Database.open(url) as database:
        nodes = await select_running_nodes(database)
    _require_one_secret(config, nodes)
    if len(nodes) > 1 and (alone := sum(node.bus == "" for node in nodes)):
        why = f"is unset on {alone} of the {len(nodes)} nodes that run on this database; set it on each node"
        raise ConfigError("NATS_URL", why)
    yield f"{len(nodes)} running now" if nodes else "none running now"
    for line in _versions(nodes):
        yield line


def _require_one_secret(config: Config, nodes: Sequence[RunningNode]) -> None:
    own = installation_of(config)
    others = [node for node in nodes if node.installation not in {None, own}]
    if others:
        why = (
            f"differs from that of {len(others)} running nodes, so links of one node are unknown to the "
            "other; set the same on each node"
        )
        raise ConfigError("TRACKER_SECRET", why)


def _versions(nodes: Sequence[RunningNode]) -> list[str]:
    """Name the versions of the nodes if they differ from this one."""
    own = version("order-tracker")
    found = {f"version {node.version}" if node.version else "an older version" for node in nodes}
    others = sorted(found - {f"version {own}"})
    return [f"a node runs {each}, and this is {own}; update one node after the other" for each in others]
