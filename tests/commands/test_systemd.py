"""`tracker service install`, and the unit: systemd accepts it, and its command serves within its limits."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
from asyncio.subprocess import DEVNULL
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.service import START_WITHIN, STOP_WITHIN, url_in
from tests.waiting import until
from tracker.__main__ import main
from tracker.commands import systemd
from tracker.errors import TrackerError
from tracker.server import MOST_DESCRIPTORS
from tracker.system.stopping import ENDED_WITHIN

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy/order-tracker.service"
PROGRAM = Path("/opt/order-tracker/.venv/bin/tracker")
MOST_EXPOSURE = 3.0  # of 10, as `systemd-analyze security` counts
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd; `apt-get install systemd`"
)


def value(text: str, name: str) -> str:
    """The only value of a directive."""
    [found] = re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)
    return str(found)


def analyze(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_shipped_unit_is_what_an_installation_in_opt_gets() -> None:
    """The defaults change nothing of deploy/order-tracker.service."""
    assert systemd.unit([PROGRAM], "tracker") == SHIPPED.read_text("utf-8")


@needs_systemd
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """Without a warning, as installed here."""
    unit = tmp_path / "order-tracker.service"
    assert CliRunner().invoke(main, ["service", "install", "--to", str(unit)]).exit_code == 0
    said = analyze("verify", unit)
    assert "order-tracker" not in said


@needs_systemd
def test_the_unit_is_hardened() -> None:
    """Its exposure is below 3 of 10."""
    said = analyze("security", "--offline=true", "--no-pager", SHIPPED)
    exposure = re.search(r"Overall exposure level for order-tracker.service: ([\d.]+)", said)
    assert exposure is not None, said
    assert float(exposure[1]) < MOST_EXPOSURE


def test_systemd_waits_longer_than_the_drain_and_ends_only_the_service() -> None:
    """SIGTERM to the embedded PostgreSQL would end its sessions before the drain has stored all fixes."""
    text = SHIPPED.read_text("utf-8")
    assert int(value(text, "TimeoutStopSec")) > ENDED_WITHIN
    assert value(text, "KillMode") == "mixed"
    assert int(value(text, "LimitNOFILE")) >= MOST_DESCRIPTORS


def test_the_builder_of_routing_tiles_may_write_code() -> None:
    """With systemd 257, MemoryDenyWriteExecute= ended LuaJIT in valhalla_build_tiles: no routes."""
    assert not re.search(r"^MemoryDenyWriteExecute=", SHIPPED.read_text("utf-8"), re.MULTILINE)


def test_an_installation_elsewhere_gets_its_own_paths() -> None:
    """Program, data folder and user; a data folder of one's own has to be writable."""
    text = systemd.unit([Path("/srv/a/bin/tracker")], "courier", Path("/data/tracker"))
    assert value(text, "ExecStart") == "/srv/a/bin/tracker serve --migrate"
    assert (value(text, "User"), value(text, "ProtectHome")) == ("courier", "yes")
    assert value(text, "Environment") == "TRACKER_DATA_DIR=/data/tracker"
    assert value(text, "ReadWritePaths") == value(text, "WorkingDirectory") == "/data/tracker"
    assert "StateDirectory" not in text and "/var/lib" not in text and "/opt" not in text


@pytest.mark.parametrize("hidden", ["/home/me/app/.venv/bin/tracker", "/root/.local/share/uv/python"])
def test_an_installation_in_a_home_folder_can_be_read(hidden: str) -> None:
    """With ProtectHome=yes its program would not exist for systemd."""
    assert value(systemd.unit([PROGRAM, Path(hidden)], "tracker"), "ProtectHome") == "read-only"


def test_a_path_that_would_need_quotes_is_refused() -> None:
    """The sentence names the path."""
    with pytest.raises(TrackerError, match="/srv/my app/tracker cannot be in a systemd unit"):
        systemd.unit([Path("/srv/my app/tracker")], "tracker")


def test_a_changed_unit_is_kept(tmp_path: Path) -> None:
    """Without --force. The same text may be written again, and --print writes nothing."""
    unit = tmp_path / "order-tracker.service"
    command = ["service", "install", "--user", "nobody", "--to", str(unit)]
    printed = CliRunner().invoke(main, [*command, "--print"])
    assert not unit.exists()
    written = CliRunner().invoke(main, command)
    assert (written.exit_code, unit.read_text("utf-8")) == (0, printed.stdout)
    assert "systemctl enable --now order-tracker" in written.stdout
    assert "useradd" not in written.stdout  # the user exists
    assert CliRunner().invoke(main, command).exit_code == 0
    unit.write_text(changed := printed.stdout.replace("RestartSec=5", "RestartSec=1"), "utf-8")
    refused = CliRunner().invoke(main, command)
    assert (refused.exit_code, unit.read_text("utf-8")) == (1, changed)
    assert f"{unit} was changed" in refused.stderr
    assert CliRunner().invoke(main, [*command, "--force"]).exit_code == 0
    assert unit.read_text("utf-8") == printed.stdout


async def test_the_units_command_serves(data_dir: Path, database_url: str, tmp_path: Path) -> None:
    """ExecStart with the unit's environment and folder, until SIGTERM."""
    text = systemd.unit(systemd.installation(), "tracker", data_dir)
    name, _, folder = value(text, "Environment").partition("=")
    environment = {"PATH": os.environ["PATH"], name: folder}
    environment |= {
        "TRACKER_BIND": "127.0.0.1:0",
        "DATABASE_URL": database_url,
    }  # of the file
    with (log := tmp_path / "log").open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(value(text, "ExecStart")),
            cwd=value(text, "WorkingDirectory"),
            env=environment,
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=stderr,
        )

    def serves() -> bool:
        assert process.returncode is None, log.read_text("utf-8")
        return any(map(url_in, log.read_text("utf-8").splitlines()))

    try:
        await until(serves, START_WITHIN)
        process.terminate()
        async with asyncio.timeout(STOP_WITHIN):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
