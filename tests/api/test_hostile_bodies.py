"""Whatever is sent to any endpoint up to its limit: no 5xx, no crash, and no memory that stays."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hostile import attack, targets_of
from tests.service import ADMIN_KEY, Service, running_service

GROWTH = 10.0  # MB


async def hostile_to(service: Service, warm: int, count: int) -> tuple[dict[str, int], float]:
    """How *count* requests were answered, and by how many MB the service has grown since *warm* before."""
    targets = await targets_of(service.http, ADMIN_KEY)
    await attack(targets, "warm", lambda sent: sent >= warm)
    before, logged = resident_mb(service), len(service.log.read_text(errors="replace"))
    seen = await attack(targets, "hostile", lambda sent: sent >= count)
    said = service.log.read_text(errors="replace")[logged:]
    assert "crash" not in said
    assert "Traceback" not in said
    assert "exception" not in said.lower(), said[-2_000:]
    assert (await service.http.get("/readyz")).is_success
    return dict(seen), resident_mb(service) - before


def resident_mb(service: Service) -> float:
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


@pytest.fixture
async def own(data_dir: Path, database_url: str) -> AsyncIterator[Service]:
    """A node of this test's own, whose log and memory are compared."""
    async with running_service(data_dir, database_url, unrecorded=True) as running:
        yield running


async def test_hundreds_of_hostile_bodies_are_refused(own: Service) -> None:
    """Each gets an answer that blames its sender, and the log holds no error."""
    seen, grown = await hostile_to(own, 100, 300)
    print(seen, f"{grown:.1f} MB")
    assert {status for status in seen if status.startswith("5")} <= {"505"}
    assert "nothing" not in seen
    assert grown < GROWTH


@pytest.mark.long
async def test_ten_thousand_hostile_bodies_are_refused(own: Service) -> None:
    """The same with many."""
    seen, grown = await hostile_to(own, 1_000, 10_000)
    print(seen, f"{grown:.1f} MB")
    assert {status for status in seen if status.startswith("5")} <= {"505"}
    assert "nothing" not in seen
    assert grown < GROWTH
