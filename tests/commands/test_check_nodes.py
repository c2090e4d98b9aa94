"""`tracker check` of a pair: secrets, versions, bus and clocks that do not fit, each with its fix."""

from datetime import datetime, timedelta, tzinfo
from typing import Self

import pytest

from tracker.commands import check_nodes as checks
from tracker.commands.check_nodes import check_clock, check_nodes
from tracker.config import Config
from tracker.database import Database
from tracker.database.nodes.leases import beat, describe_node
from tracker.errors import ConfigError
from tracker.live.nodes.opening import installation_of

CONFIG = Config(secret="the-secret-of-the-pair", nats_url="nats://127.0.0.1:4222")
BUS = "127.0.0.1:4222"
OWN = installation_of(CONFIG)


@pytest.fixture(autouse=True)
def _release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "version", lambda _: "0.3.0")


async def run_nodes(database: Database, *about: tuple[str, str, str] | None) -> None:
    """Have nodes run that say this of themselves; None: nothing, as old ones."""
    for number, one in enumerate(about):
        await beat(database, f"node_{number}", timedelta(minutes=1))
        if one is not None:
            await describe_node(database, f"node_{number}", *one)


async def findings(database_url: str) -> list[str]:
    return [line async for line in check_nodes(CONFIG, database_url)]


async def test_a_pair_that_fits_is_counted(database: Database, database_url: str) -> None:
    """Nodes that have ended do not count."""
    assert await findings(database_url) == ["none running now"]
    await run_nodes(database, ("0.3.0", OWN, BUS), ("0.3.0", OWN, BUS))
    await beat(database, "node_that_ended", timedelta(0))
    assert await findings(database_url) == ["2 running now"]


async def test_older_nodes_are_named(database: Database, database_url: str) -> None:
    """Between two steps of a rolling update that is no fault."""
    await run_nodes(database, None, ("0.2.0", OWN, BUS))
    assert await findings(database_url) == [
        "2 running now",
        "a node runs an older version, and this is 0.3.0; update one node after the other",
        "a node runs version 0.2.0, and this is 0.3.0; update one node after the other",
    ]


@pytest.mark.parametrize(
    ("other", "setting", "words"),
    [
        (("0.3.0", "another", BUS), "TRACKER_SECRET", "differs from that of 1 running nodes"),
        (("0.3.0", OWN, ""), "NATS_URL", "is unset on 1 of the 2 nodes that run on this database"),
    ],
)
async def test_what_does_not_fit_is_named(
    database: Database, database_url: str, other: tuple[str, str, str], setting: str, words: str
) -> None:
    """With the setting to correct, and without the secret."""
    await run_nodes(database, ("0.3.0", OWN, BUS), other)
    with pytest.raises(ConfigError, match=words) as wrong:
        await findings(database_url)
    assert wrong.value.setting == setting
    assert "the-secret" not in str(wrong.value)


@pytest.mark.parametrize(("off", "words"), [(40, "40.0 s ahead of the"), (-40, "40.0 s behind the")])
async def test_a_wrong_clock_is_named(
    database_url: str, monkeypatch: pytest.MonkeyPatch, off: int, words: str
) -> None:
    """Against the database's, which decides about leases."""
    assert [line async for line in check_clock(database_url)] == ["within 2 s of the database's"]

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=off)

    monkeypatch.setattr(checks, "datetime", Wrong)
    with pytest.raises(ConfigError, match=words):
        [_ async for _ in check_clock(database_url)]
