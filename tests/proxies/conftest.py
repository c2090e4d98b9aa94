"""A service that trusts a proxy on this machine, and each proxy in front of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.proxies.programs import PROGRAMS, Certificate, Proxy, running_proxy
from tests.service import Service, running_service


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("certificate"))


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def behind(data_dir: Path, own_database: str) -> AsyncIterator[Service]:
    """The service itself, which the tests reach through a proxy."""
    async with running_service(
        data_dir, own_database, unrecorded=True, TRACKER_TRUSTED_PROXIES="127.0.0.1"
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", scope="module", params=PROGRAMS)
async def proxy(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    behind: Service,
    certificate: Certificate,
) -> AsyncIterator[Proxy]:
    folder = tmp_path_factory.mktemp(request.param)
    async with running_proxy(request.param, folder, behind.address, certificate) as running:
        yield running
