"""`tracker service`: the unit that runs this installation under systemd."""

import pwd
import re
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from tracker.errors import TrackerError

UNIT: Final = Path("/etc/systemd/system/order-tracker.service")
DATA: Final = Path("/var/lib/order-tracker")
_TEMPLATE: Final = Path(__file__).with_name("order-tracker.service")
_PROGRAM: Final = "/opt/order-tracker/.venv/bin/tracker"
_PLAIN: Final = re.compile(r"[\w/.+@-]+")
_STATE: Final = "StateDirectory=order-tracker\nStateDirectoryMode=0700\n"
_HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"))  # what ProtectHome= hides


class Occupied(TrackerError):
    """The file of the unit exists and has other content."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} was changed, or is of another version. --print shows a new one, --force writes it. "
            "Keep your changes in a drop-in: `systemctl edit order-tracker`."
        )


class Plan(msgspec.Struct, frozen=True):
    """What to install, and what to tell root afterwards."""

    path: Path
    text: str
    advice: list[str]

    def carry_out(self, *, force: bool) -> str:
        """Write the unit and return the advice. Raises Occupied if it has other content, unless *force*."""
        if not force and self.path.exists() and self.path.read_text("utf-8") != self.text:
            raise Occupied(self.path)
        self.path.write_text(self.text, "utf-8")
        self.path.chmod(0o644)
        return "\n".join(self.advice)


def plan(data_dir: str, user: str, path: Path | None = None) -> Plan:
    """Return the plan for this installation; *data_dir* is empty for the default. Raises TrackerError."""
    data, paths, path = Path(data_dir or DATA).absolute(), installation(), path or UNIT
    advice = [
        *(
            f"The user {user} must be able to read {path}; /opt is a better place."
            for path in in_homes(paths)
        ),
        f"Wrote {path}. Settings go into /etc/order-tracker.env. Next, as root:",
        *(f"  {command}" for command in preparations(user, data)),
        f"  systemctl enable --now {path.stem}",
    ]
    return Plan(path, unit(paths, user, data), advice)


def installation() -> tuple[Path, ...]:
    """Return the program of this installation, then the other folders that it is read from."""
    program = Path(sysconfig.get_path("scripts"), "tracker")
    return (program, Path(sys.base_prefix), Path(__file__).parents[2])


def in_homes(paths: Sequence[Path]) -> list[Path]:
    """Return the paths that are below users' home folders, which a service normally cannot read."""
    return [path for path in paths if any(path.is_relative_to(home) for home in _HOMES)]


def unit(paths: Sequence[Path], user: str, data: Path = DATA) -> str:
    """Return the unit's text for the program, the first of *paths*, with its data in *data*."""
    text = _TEMPLATE.read_text("utf-8").replace(_PROGRAM, _quoted(paths[0]))
    text = text.replace("User=tracker\n", f"User={user}\n")
    if data != DATA:
        text = text.replace(_STATE, f"ReadWritePaths={_quoted(data)}\n").replace(str(DATA), _quoted(data))
    if in_homes((*paths, data)):
        text = text.replace("ProtectHome=yes\n", "ProtectHome=read-only\n")
    return text


def _quoted(path: Path) -> str:
    """Return the path as a unit holds it. Raises TrackerError if it would need quotes."""
    if not _PLAIN.fullmatch(str(path)):
        raise TrackerError(f"{path} cannot be in a systemd unit: use letters, digits and / - . _ + @ only.")
    return str(path)


def preparations(user: str, data: Path = DATA) -> list[str]:
    """Return the shell commands, for root, that make what is missing before the service can start."""
    commands = []
    if not _exists(user):
        commands.append(f"useradd --system --home-dir {data} --shell /usr/sbin/nologin {user}")
    if data != DATA:
        commands.append(f"install --directory --owner={user} --mode=0700 {data}")
    return [*commands, "systemctl daemon-reload"]


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
