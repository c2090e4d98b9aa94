"""The commands of docs/two-servers.md, with stand-ins for packages, units, firewall and users."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from secrets import token_hex
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.proxies.programs import skip_if_absent
from tracker.commands.check import check_address
from tracker.config import Config
from tracker.database.migrations import migrate

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/two-servers.md").read_text("utf-8")
STAND_INS: Final = ("apt-get", "systemctl", "ufw", "useradd", "make", "chown", "certbot", "curl", "scp")
SUDO: Final = """#!/bin/sh
# sudo -u postgres psql …: keep the statements, and say where pg_hba.conf is
shift 3
case "$*" in
*hba_file*) echo "{folder}/pg_hba.conf" ;;
-c*) printf '%s;\\n' "$2" >> {folder}/statements.sql ;;
esac
"""
FOLDERS: Final = ("etc/haproxy", "etc/systemd/system", "root", "opt")


def blocks(server: str) -> list[str]:
    """The commands for one server, in their sequence, until the update."""
    text = PAGE.partition("## Update")[0]
    found = re.findall(r"^```sh\n# (\w+)[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [commands for name, commands in found if name in {server, "both"}]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of server `one` after all commands."""
    folder = tmp_path_factory.mktemp("one")
    for name in (*FOLDERS, "bin"):
        (folder / name).mkdir(parents=True)
    (folder / "opt/order-tracker").symlink_to(ROOT)
    for name in STAND_INS:
        stand_in(folder, name, "#!/bin/sh\n")
    stand_in(folder, "sudo", SUDO.format(folder=folder))
    stand_in(folder, "systemd-run", "#!/bin/sh\n")
    script = "set -eu\n" + "\n".join(blocks("one")).replace(".venv/bin/tracker", "true")
    for place in ("/etc/", "/root/", "/opt/"):
        script = re.sub(rf"(?<![\w./]){place}", f"{folder}{place}", script)
    path = f"{folder}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", script], env={"PATH": path}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return folder


def stand_in(folder: Path, name: str, text: str) -> None:
    (folder / "bin" / name).write_text(text)
    (folder / "bin" / name).chmod(0o755)


def settings_of(file: Path) -> dict[str, str]:
    """What systemd reads of an environment file."""
    return dict(line.split("=", 1) for line in file.read_text("utf-8").splitlines())


def test_both_servers_have_commands() -> None:
    """Else nothing of the page would be tested."""
    assert len(blocks("one")) > 6
    assert len(blocks("two")) > 3


async def test_the_settings_fit_each_other_and_the_balancer(machine: Path) -> None:
    """One secret, one database, one bus; each node has an address, and only root reads the files."""
    files = machine / "etc/order-tracker.env", machine / "root/order-tracker.env"
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
    one, two = (settings_of(file) for file in files)
    assert (one.pop("TRACKER_BIND"), two.pop("TRACKER_BIND")) == ("10.0.0.1:8080", "10.0.0.2:8080")
    assert one == two
    for file in files:
        config = Config.from_environment(settings_of(file))
        findings = [line async for line in check_address(config)]
        assert findings[0] == "links begin with https://track.example.com"


async def test_the_statements_make_a_database_that_the_service_migrates(machine: Path, postgres: str) -> None:
    """With the rights that they give, and no others."""
    name = f"pair_{token_hex(4)}"
    statements = (machine / "statements.sql").read_text("utf-8").replace("tracker", name).splitlines()
    assert [one.split(maxsplit=2)[:2] for one in statements] == [
        ["CREATE", "ROLE"], ["CREATE", "DATABASE"], ["ALTER", "SYSTEM"],
    ]  # fmt: skip
    admin = await asyncpg.connect(postgres)
    try:
        for statement in statements[:2]:
            await admin.execute(statement)
        parts = urlsplit(postgres)
        url = parts._replace(netloc=f"{name}@", path=f"/{name}").geturl()
        assert await migrate(url)
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}"')
        await admin.execute(f'DROP ROLE IF EXISTS "{name}"')
        await admin.close()


def test_postgresql_admits_the_two_nodes_only(machine: Path) -> None:
    """By their addresses, with a password."""
    rules = (machine / "pg_hba.conf").read_text("utf-8").splitlines()
    assert rules == [f"host tracker tracker 10.0.0.{n}/32 scram-sha-256" for n in (1, 2)]


def test_nats_accepts_its_file(machine: Path) -> None:
    """It has the token of the nodes."""
    file = machine / "etc/nats-server.conf"
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    assert program is not None
    subprocess.run([program, "-t", "-c", str(file)], check=True, capture_output=True, timeout=20)
    token = urlsplit(settings_of(machine / "etc/order-tracker.env")["NATS_URL"]).username
    assert f'token: "{token}"' in file.read_text("utf-8")
    assert file.stat().st_mode & 0o777 == 0o600


def test_haproxy_accepts_its_file_and_has_both_nodes(machine: Path) -> None:
    """With the first certificate, which it needs to start."""
    skip_if_absent("haproxy")
    file = machine / "etc/haproxy/haproxy.cfg"
    text = file.read_text("utf-8").replace("/etc/haproxy/", f"{machine}/etc/haproxy/")
    file.write_text(text)
    subprocess.run(["haproxy", "-c", "-f", str(file)], check=True, capture_output=True, timeout=20)
    servers = re.findall(r"^    server (\S+) (\S+)", text, re.MULTILINE)
    assert dict(servers) == {
        "one": "10.0.0.1:8080", "two": "10.0.0.2:8080", "certbot": "127.0.0.1:8888",
        "one-unready": "10.0.0.1:8080", "two-unready": "10.0.0.2:8080",
    }  # fmt: skip


def test_a_renewed_certificate_replaces_the_first(machine: Path, tmp_path: Path) -> None:
    """As certbot's hook; readable by root only."""
    for name in ("fullchain.pem", "privkey.pem"):
        (tmp_path / name).write_text(f"the new {name}\n")
    environment = {"PATH": f"{machine}/bin:{os.environ['PATH']}", "RENEWED_LINEAGE": str(tmp_path)}
    script = str(machine / "etc/haproxy/renewed.sh")
    subprocess.run(["sh", "-eu", script], env=environment, check=True, timeout=20)
    both = machine / "etc/haproxy/track.example.com.pem"
    assert both.read_text("utf-8") == "the new fullchain.pem\nthe new privkey.pem\n"
    assert both.stat().st_mode & 0o777 == 0o600
