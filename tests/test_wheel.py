"""The wheel, installed into fresh environments outside the checkout: `make test-wheel`."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import zipfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from shutil import which
from socket import create_server

import httpx
import pytest

ROOT = Path(__file__).parent.parent
START_WITHIN = 240.0  # seconds
END_WITHIN = 60.0
KEY = "k" * 24

pytestmark = [pytest.mark.wheel]


def pythons() -> list[str]:
    """The interpreters of this machine that are supported, one of each version."""
    found = {}
    for minor in (12, 13, 14):
        places = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3"))
        path = str(places[-1]) if places else which(f"python3.{minor}")
        if sys.version_info[:2] == (3, minor):
            path = sys.executable
        if path:
            found[minor] = path
    return list(found.values())


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    subprocess.run(command, check=True, timeout=600)
    (built,) = folder.glob("order_tracker-*.whl")
    return built


def install(wheel: Path, folder: Path, *, python: str = sys.executable, extras: str = "") -> Path:
    """Install the wheel with the locked versions. Return the folder of the environment's programs."""
    subprocess.run([python, "-m", "venv", folder], check=True, timeout=300)
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    (folder / "versions").write_text("\n".join(re.findall(r"^[a-z].*?(?= \\$)", locked, re.MULTILINE)))
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run([*pip, "-c", folder / "versions", f"{wheel}{extras}"], check=True, timeout=900)
    return folder / "bin"


@asynccontextmanager
async def running(
    folder: Path, *command: str | Path, **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program in *folder*, with nothing of this checkout in its environment; end it by SIGINT."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TRACKER_DATA_DIR": str(folder),
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    try:
        yield process
        with suppress(ProcessLookupError):  # it may have ended by itself
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(END_WITHIN):
            await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until(process: asyncio.subprocess.Process, words: str) -> str:
    """The first line with these words."""
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(START_WITHIN):
        while raw := await process.stdout.readline():
            lines.append(raw.decode())
            if words in lines[-1]:
                return lines[-1]
    raise AssertionError("".join(lines))


def free_port() -> int:
    with create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_the_description_has_no_relative_link(wheel: Path) -> None:
    """They lead nowhere on the page of a package index; their text stays."""
    with zipfile.ZipFile(wheel) as files:
        (name,) = [name for name in files.namelist() if name.endswith(".dist-info/METADATA")]
        description = files.read(name).decode()
    assert "# order-tracker" in description
    assert "Deployment covers both ways" in description
    assert re.findall(r"\]\((?!https?://)", description) == []


@pytest.mark.parametrize("python", pythons(), ids=lambda path: Path(path).name + str(pythons().index(path)))
async def test_the_demo_runs_from_the_wheel(wheel: Path, tmp_path: Path, python: str) -> None:
    """With every extra, on each Python of this machine: page, map and simulated couriers."""
    programs = install(wheel, tmp_path / "environment", python=python, extras="[all]")
    (folder := tmp_path / "data").mkdir()
    port = str(free_port())
    async with running(folder, programs / "tracker", "demo", "--port", port) as demo:
        link = (await until(demo, "The map of a customer")).split()[-1]
        async with httpx.AsyncClient() as http:
            assert "<title>" in (await http.get(link)).text
            ready = (await http.get(f"http://127.0.0.1:{port}/readyz")).json()
            assert not ready.get("degraded"), ready
            style = await http.get(f"http://127.0.0.1:{port}/static/vendor/maplibre-gl/maplibre-gl.mjs")
            assert style.status_code == 200
    assert demo.returncode == 0


async def test_without_extras_it_serves_and_simulates(wheel: Path, tmp_path: Path, database_url: str) -> None:
    """With a database and a router elsewhere. What is absent is named with the command that installs it."""
    programs = install(wheel, tmp_path / "environment")
    assert not [*(tmp_path / "environment").glob("lib/*/site-packages/*valhalla*")]
    assert not [*(tmp_path / "environment").glob("lib/*/site-packages/*embedded*")]
    (folder := tmp_path / "data").mkdir()
    port = free_port()
    settings = {"DATABASE_URL": database_url, "TRACKER_BIND": f"127.0.0.1:{port}", "TRACKER_ADMIN_KEY": KEY}
    async with running(folder, programs / "tracker", "serve", "--migrate", **settings) as process:
        line = await until(process, "Error: ")
        assert line.strip().endswith("run: pip install 'order-tracker[router]'")
        await process.wait()
    assert process.returncode == 1
    url = f"http://127.0.0.1:{port}"
    router = f"http://127.0.0.1:{free_port()}"
    async with (
        running(
            folder, programs / "tracker", "serve", "--migrate", TRACKER_ROUTER=router, **settings
        ) as service,
        httpx.AsyncClient() as http,
    ):
        await until(service, "service_started")
        assert (await http.get(f"{url}/readyz")).is_success
        arguments = ("run", "--url", url, "--api-key", KEY, "--drivers", "1", "--duration", "3")
        async with running(folder, programs / "driver-sim", *arguments) as simulator:
            total = await until(simulator, "of 1 couriers connected")
            assert re.search(r"[1-9]\d* acknowledged, 0 waiting, 0 rejected", total), total
