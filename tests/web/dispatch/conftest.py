"""A node of its own for the board, whose list would hold the orders of all other tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.service import Service, running_service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(data_dir: Path, own_database: str) -> AsyncIterator[Service]:
    async with running_service(data_dir, own_database) as running:
        yield running
