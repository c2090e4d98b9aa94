"""What the fault tests share: one PostgreSQL server that they may kill."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.cluster import Cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with Cluster.open(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster
