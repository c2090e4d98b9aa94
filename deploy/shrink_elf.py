"""Reduce the ELF files of a folder to what is loaded, without the padding between segments.

Some wheels' libraries are mostly padding: each segment begins at a multiple of 2 MB, so a library of 100 kB
takes 6 MB. Others carry symbols for debuggers. The programs run as before; debuggers see less.

    python shrink_elf.py FOLDER
"""

import struct
import sys
from pathlib import Path
from typing import Final, NamedTuple

ALIGNMENT: Final = 0x10000  # bytes: the largest page of the processors that Linux runs on
PT_LOAD: Final = 1
HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")  # of an ELF file of 64 bits, least significant byte first
SEGMENT: Final = struct.Struct("<IIQQQQQQ")
MAGIC: Final = b"\x7fELF\x02\x01"


class Segment(NamedTuple):
    """A program header."""

    kind: int
    flags: int
    offset: int
    address: int
    physical: int
    file_size: int
    memory_size: int
    alignment: int


def shrunk(content: bytes) -> bytes | None:
    """Return the file with only its loaded segments; None if it is no ELF file or cannot become smaller."""
    if not content.startswith(MAGIC):
        return None
    header = list(HEADER.unpack_from(content))
    table, count = header[5], header[10]
    segments = [Segment(*SEGMENT.unpack_from(content, table + SEGMENT.size * i)) for i in range(count)]
    loaded = sorted((each for each in segments if each.kind == PT_LOAD), key=lambda each: each.offset)
    if not loaded or loaded[0].offset or table + SEGMENT.size * count > loaded[0].file_size:
        return None  # the headers are not part of what is loaded
    places = _places(loaded)
    result = bytearray(max(places[each] + each.file_size for each in loaded))
    for each in loaded:
        result[places[each] : places[each] + each.file_size] = content[
            each.offset : each.offset + each.file_size
        ]
    header[6] = header[12] = header[13] = 0  # no table of sections: it is for linkers and debuggers
    HEADER.pack_into(result, 0, *header)
    for i, each in enumerate(segments):
        SEGMENT.pack_into(result, table + SEGMENT.size * i, *_moved(each, places))
    return bytes(result) if len(result) < len(content) else None


def _places(loaded: list[Segment]) -> dict[Segment, int]:
    """Return each segment's new offset: the next one with the same remainder as its address."""
    places, end = {}, 0
    for each in loaded:
        alignment = min(each.alignment, ALIGNMENT)
        places[each] = end + (each.address - end) % alignment
        end = places[each] + each.file_size
    return places


def _moved(segment: Segment, places: dict[Segment, int]) -> Segment:
    """Return the header of a segment that moved with the loaded segment it lies in."""
    for each, place in places.items():
        if (
            each.offset <= segment.offset
            and segment.offset + segment.file_size <= each.offset + each.file_size
        ):
            alignment = min(segment.alignment, ALIGNMENT) if segment.kind == PT_LOAD else segment.alignment
            return segment._replace(offset=segment.offset - each.offset + place, alignment=alignment)
    return segment._replace(offset=0)  # empty, such as GNU_STACK


def main(folder: Path) -> None:
    """Shrink the files of the folder in place and print what that saved."""
    saved = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            before = path.read_bytes()
            if (after := shrunk(before)) is not None:
                path.write_bytes(after)
                saved += len(before) - len(after)
    print(f"{saved / 1e6:.0f} MB less in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
