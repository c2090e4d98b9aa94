"""A container of 256 MB refuses the clients that it has no memory for; the kernel kills no process."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.containers.composition import GROUPS, LOOK_EVERY, Composition
from tests.containers.crowd import Crowd
from tests.containers.test_image import is_healthy, running
from tests.waiting import until

pytestmark = pytest.mark.containers
CUSTOMERS = 3_000
COURIERS = 20
LINKS = 70
SERVED = 1_000
STALLED_FIXES = 20  # of each courier, while the customers read nothing


def group_of(composition: Composition) -> dict[str, int]:
    """What the kernel counts for the service's container, in bytes, and how many it killed."""
    name = composition.engine.podman(
        "inspect", "--format", "{{.Id}}", composition.container("tracker")
    ).strip()
    first, second = GROUPS / "memory", GROUPS
    for root, used, limit, killed in (
        (first, "memory.usage_in_bytes", "memory.limit_in_bytes", "memory.oom_control"),
        (second, "memory.current", "memory.max", "memory.events"),
    ):
        for group in root.glob(f"**/*{name}*"):
            if (group / used).is_file():
                words = (group / killed).read_text().split()
                kills = int(words[words.index("oom_kill") + 1])
                return {
                    "used": int((group / used).read_text()),
                    "limit": int((group / limit).read_text()),
                    "killed": kills,
                }
    raise AssertionError("no control group")


def forget_files(composition: Composition) -> None:
    """Drop the image's files from the page cache, so that the container itself pays for what it reads."""
    name = composition.container("tracker")
    image = composition.engine.podman("inspect", "--format", "{{.Image}}", name).strip()
    mounted = Path(composition.engine.podman("image", "mount", image).strip())
    for path in mounted.rglob("*"):
        if path.is_file() and not path.is_symlink():
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)
    composition.engine.podman("image", "unmount", image)


@asynccontextmanager
async def couriers(composition: Composition, image: str) -> AsyncIterator[str]:
    """Simulated couriers beside the composition."""
    key = composition.checkout / "secrets/admin_key"
    options = ["--network", composition.network, "--tmpfs", "/data", "--volume", f"{key}:/key:ro"]
    options += ["--env", "DRIVER_SIM_URL=http://tracker:8080"]
    drive = f"DRIVER_SIM_API_KEY=$(cat /key) exec driver-sim run --drivers {COURIERS}"
    with running(composition.engine, image, *options, command=("sh", "-c", drive)) as name:
        connected = f"{COURIERS} of {COURIERS} couriers connected"
        await until(
            lambda: connected in composition.engine.podman("logs", name), within=120, every=LOOK_EVERY
        )
        yield name


def acknowledged(composition: Composition, couriers: str) -> int:
    """How many of the couriers' fixes are stored, as they last said."""
    return int(re.findall(r"(\d+) acknowledged", composition.engine.podman("logs", couriers))[-1])


def links(composition: Composition) -> list[str]:
    """Links to open: first those of the couriers' orders, whose customers hear the most."""
    orders: list[Any] = composition.get("/v1/orders?limit=100")["items"]
    orders = [order for order in orders if order["status"] in {"assigned", "picked_up"}][:LINKS]
    orders += [composition.new_order() for _ in range(LINKS - len(orders))]
    return [order["tracking_url"].rsplit("/", 1)[1] for order in orders]


async def test_a_crowd_that_is_too_large_is_refused_and_nobody_is_killed(
    composition: Composition, image: str
) -> None:
    """Of 3,000 customers most are served, the others get 503. Then all stop reading: no danger either."""
    forget_files(composition)
    composition.run("stop", "simulator")  # it would take three of the same couriers
    composition.run("restart", "tracker")
    await until(composition.is_ready, within=180, every=LOOK_EVERY)
    quiet = group_of(composition)
    assert quiet["limit"] == 256 * 2**20
    process = composition.state("tracker")["Pid"]
    async with couriers(composition, image) as driving:
        crowd = Crowd(int(composition.settings["PORT"]), links(composition))
        await crowd.arrive(CUSTOMERS)
        full = group_of(composition)
        print(f"quiet {quiet['used'] >> 20} MiB, full {full['used'] >> 20} MiB, {dict(crowd.counts)}")
        assert crowd.counts["101"] >= SERVED
        assert crowd.counts["101"] + crowd.counts["503"] == CUSTOMERS
        assert await asyncio.to_thread(is_healthy, composition.engine, composition.container("tracker"))
        crowd.stall()
        wanted = acknowledged(composition, driving) + COURIERS * STALLED_FIXES
        await until(lambda: acknowledged(composition, driving) >= wanted, within=180, every=LOOK_EVERY)
        await crowd.leave()
        await until(composition.is_ready, within=60, every=LOOK_EVERY)
    composition.run("start", "simulator")
    assert group_of(composition)["killed"] == 0
    assert composition.state("tracker")["Pid"] == process
