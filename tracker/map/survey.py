"""Survey: the extent of an extract's data, and whether the builders can read the extract.

`python -m tracker.map.survey EXTRACT FOLDER` makes it. Every builder needs it: the first one makes it, and
the others wait.
"""

import fcntl
import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import osmium

from tracker.map.extent import Box, Cells, Extent, extent_of
from tracker.map.repair import repair
from tracker.system.package_files import remove_all

FILE: Final = "survey.json"
REPAIRED: Final = "repaired.osm.pbf"
_UNFINISHED: Final = "unfinished."  # prefix of files that a dead process left behind
_BLOCK: Final = 1 << 20  # nodes counted at once
_TYPES: Final = "nwr"


class Survey(msgspec.Struct, frozen=True):
    """The findings of a pass over the whole extract."""

    extent: Extent
    objects: int  # number of objects with tags
    faults: tuple[str, ...] = ()  # why the builders read a repaired copy

    def readable(self, extract: Path, folder: Path) -> Path:
        """Return the file that builders read: the extract, or its repaired copy in *folder*."""
        return folder / REPAIRED if self.faults else extract


class _Findings(msgspec.Struct):
    cells: Cells
    objects: int = 0
    faults: set[str] = set()


def surveyed(extract: Path, folder: Path) -> Survey:
    """Return the survey in *folder*; make it if there is none. Blocks while another process makes it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    with (folder / "survey.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            remove_all(folder, f"{_UNFINISHED}*")
            content = msgspec.json.encode(make_survey(extract, folder))
            _write_beside(path, lambda unfinished: unfinished.write_bytes(content))
    return read_survey(folder)


def remove_unfinished(folder: Path) -> None:
    """Remove the files of an interrupted survey, unless another process is making one."""
    with suppress(OSError), (folder / "survey.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_all(folder, f"{_UNFINISHED}*")


def read_survey(folder: Path) -> Survey:
    """Read the survey in *folder*. Raises FileNotFoundError if there is none."""
    return msgspec.json.decode((folder / FILE).read_bytes(), type=Survey)


def make_survey(extract: Path, folder: Path) -> Survey:
    """Scan the extract; if it has faults, write a repaired copy and scan that instead."""
    found = _scan(extract)
    faults = tuple(sorted(found.faults))
    if faults:
        _write_beside(folder / REPAIRED, lambda path: repair(extract, path))
        found = _scan(folder / REPAIRED)
    extent = extent_of(found.cells, header_box(extract))
    return Survey(extent, found.objects, faults)


def header_box(extract: Path) -> Box | None:
    """Return the bounds in the extract's header; None if they are absent or invalid."""
    box = osmium.FileProcessor(str(extract)).header.box()
    if not box.valid():
        return None
    west, south = box.bottom_left.lon, box.bottom_left.lat
    east, north = box.top_right.lon, box.top_right.lat
    return (west, south, east, north) if west < east and south < north else None


def _scan(extract: Path) -> _Findings:
    found = _Findings(Cells())
    lons, lats = array("i"), array("i")
    for item in _in_order(extract, found):
        if len(item.tags):
            found.objects += 1
        if item.is_node():
            place = item.location
            if place.valid():
                lons.append(place.x)
                lats.append(place.y)
            if len(lons) >= _BLOCK:
                found.cells.count(lons, lats)
                lons, lats = array("i"), array("i")
    found.cells.count(lons, lats)
    return found


def _in_order(extract: Path, found: _Findings) -> Iterator[Any]:
    """Yield all objects, and note the faults that the builders can't handle."""
    reader = osmium.FileProcessor(str(extract))
    if any("LocationsOnWays" in reader.header.get(f"pbf_optional_feature_{n}") for n in range(4)):
        found.faults.add("no nodes, locations on ways")
    last = (0, 0)
    items: Iterator[Any] = iter(reader)
    for item in items:
        number = item.id
        here = (_TYPES.index(item.type_str()), number)
        if here <= last:
            found.faults.add("not sorted, or several versions of an object")
        if number <= 0:
            found.faults.add("numbers below 1")
        if not item.visible:
            found.faults.add("deleted objects")
        last = here
        yield item


def _write_beside(path: Path, write: Callable[[Path], object]) -> None:
    """Write another file, then rename it, so that a file of this name is always complete."""
    unfinished = path.with_name(f"{_UNFINISHED}{path.name}")
    write(unfinished)
    unfinished.replace(path)


def main() -> None:
    surveyed(Path(sys.argv[1]), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
