"""KeptMap: the prepared map of an earlier run, which saves each later one ten seconds of processor time."""

import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

ROOT = Path(__file__).parents[1]
INPUTS = ("tracker/map", "tracker/routing", "requirements.lock", "requirements-map.lock")
PARTS = (
    "addresses.json",
    "basemap.pmtiles",
    "survey.json",
    "valhalla/*.json",
)  # each appears when it is complete


class KeptMap:
    """Copies of `map-…` folders, by the code that made them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _checksum()

    def fill(self, data: Path) -> None:
        """Make the data folder, with the map if there is one. Several processes may do so at once."""
        new = data.with_name(f"data-{uuid4().hex}")
        if self._folder.is_dir():
            shutil.copytree(self._folder, new)
        else:
            new.mkdir()
        try:
            new.rename(data)
        except OSError:  # another process was first
            shutil.rmtree(new)

    def keep(self, data: Path) -> None:
        """Keep the map if it is complete, and forget those of earlier code."""
        maps = [one for one in data.glob("map-*") if all(any(one.glob(part)) for part in PARTS)]
        if len(maps) != 1 or self._folder.is_dir():
            return
        for outdated in self._folder.parent.iterdir():
            shutil.rmtree(outdated, ignore_errors=True)
        new = self._folder.with_name(f"new-{uuid4().hex}")
        ignored = shutil.ignore_patterns("lock", "*.lock", "unfinished*")
        shutil.copytree(maps[0], new / maps[0].name, ignore=ignored)
        try:
            new.rename(self._folder)
        except OSError:  # another process was first
            shutil.rmtree(new, ignore_errors=True)


def _checksum() -> str:
    digest = sha256()
    for path in sorted(_inputs()):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _inputs() -> Iterator[Path]:
    for name in INPUTS:
        path = ROOT / name
        yield from path.rglob("*.py") if path.is_dir() else [path]
