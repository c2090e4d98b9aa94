"""The same service on every PostgreSQL that this machine has."""

from pathlib import Path

import pytest

from tests import test_end_to_end
from tests.faults.cluster import Cluster
from tests.service import running_service
from tracker.database.migrations import migrate, migrations
from tracker.postgres.programs import Programs, installed

VERSIONS = {programs.major: programs for programs in installed()}


@pytest.mark.parametrize("programs", VERSIONS.values(), ids=map(str, VERSIONS))
async def test_migrations_and_a_whole_order(programs: Programs, data_dir: Path, tmp_path: Path) -> None:
    """From an empty database to an order's history."""
    async with Cluster.open(tmp_path / "cluster", programs=programs) as cluster:
        url = await cluster.new_database()
        assert await migrate(url) == [migration.name for migration in migrations()]
        async with running_service(data_dir, url) as service:
            await test_end_to_end.test_an_order_from_creation_to_its_history(service)
            await test_end_to_end.test_the_same_fix_by_two_ways_is_stored_once(service)
            await test_end_to_end.test_words_go_both_ways(service)
