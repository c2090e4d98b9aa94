"""Verification that a file is a complete OpenStreetMap extract in PBF, with a fix if it is not.

It reads only the headers of the blocks, so a gigabyte takes well under a second. The readers of the map
verify the contents of the blocks.
"""

from pathlib import Path
from typing import IO, Final

LOOKED_AT: Final = 512  # bytes at the beginning that identify other formats
HEADER_LIMIT: Final = 64 * 1024  # bytes of a block's header, as the format defines
BLOCK_LIMIT: Final = 32 * 2**20  # bytes of a block, likewise
LENGTH: Final = 4  # bytes that hold the length of a block's header
CONVERT: Final = "convert it: osmium cat {name} -o map.osm.pbf"
GIVE: Final = "give an .osm.pbf extract"

# the beginning of a file, in lower case and without leading white space -> its format, and the fix
_KINDS: Final[tuple[tuple[tuple[bytes, ...], str, str], ...]] = (
    ((b"<!doctype html", b"<html", b"<head"), "is a web page", "use the address of the .osm.pbf file itself"),
    ((b"<?xml", b"<osm"), "is XML, not PBF", CONVERT),
    ((b"bzh",), "is compressed with bzip2", CONVERT),
    ((b"\x1f\x8b",), "is compressed with gzip", "if it is an .osm.gz, " + CONVERT),
    ((b"pk\x03\x04",), "is a ZIP archive", "unpack it, and give the .osm.pbf extract in it"),
    ((b"7z\xbc\xaf", b"\xfd7zxz", b"\x28\xb5\x2f\xfd"), "is a compressed archive", "unpack it first"),
    ((b"\xff\xe0",), "is O5M, not PBF", CONVERT),
    ((b"pmtiles",), "holds map tiles, which cannot be routed", GIVE),
    ((b"sqlite format 3",), "is an SQLite database", GIVE),
    ((b"version https://git-lfs",), "is a Git LFS pointer", "fetch the file itself with git lfs pull"),
    ((b"{", b"["), "is JSON", GIVE),
)


def fault_of(path: Path) -> str | None:
    """Return what is wrong with the file and the fix, to follow the file's name in a sentence.

    None if it is a complete extract, judging by the lengths of its blocks.
    """
    try:
        with path.open("rb") as file:
            return _fault(file, path)
    except IsADirectoryError:
        return f"is a folder; {GIVE}, a file in it"
    except OSError as error:
        return f"cannot be read ({error.strerror}); give the service's user the right to read it"


def _fault(file: IO[bytes], path: Path) -> str | None:
    size = path.stat().st_size
    if size == 0:
        return "is empty; download it again"
    begin = file.read(LOOKED_AT)
    file.seek(0)
    first = _next_block(file)
    if first is None or first[0] != b"OSMHeader":
        what, fix = _kind(begin)
        return f"{what}; {fix.format(name=path.name)}"
    return _fault_of_blocks(file, first[1], size)


def _fault_of_blocks(file: IO[bytes], length: int, size: int) -> str | None:
    """Go from block to block. The last one must end where the file ends."""
    begin = 0
    end = file.tell() + length
    while end < size:
        begin = end
        file.seek(begin)
        block = _next_block(file)
        if block is None:
            if size - begin < LENGTH + HEADER_LIMIT:
                break
            return f"is damaged after {begin:,} of {size:,} bytes; download it again"
        end = file.tell() + block[1]
    return None if end == size else f"is cut off after {size:,} bytes; download it again"


def _next_block(file: IO[bytes]) -> tuple[bytes, int] | None:
    """Read a block's header; return the block's type and length, or None if this is no header."""
    length = int.from_bytes(file.read(LENGTH), "big")
    if not 0 < length <= HEADER_LIMIT:
        return None
    header = file.read(length)
    if len(header) != length:
        return None
    fields = _fields(header)
    kind, size = fields.get(1), fields.get(3)
    if not isinstance(kind, bytes) or not isinstance(size, int) or not 0 <= size <= BLOCK_LIMIT:
        return None
    return kind, size


def _fields(message: bytes) -> dict[int, bytes | int]:
    """Return the fields of a protobuf message that has only numbers and bytes; none if it is invalid."""
    fields: dict[int, bytes | int] = {}
    at = 0
    try:
        while at < len(message):
            key, at = _varint(message, at)
            value, at = _varint(message, at)
            if key & 7 == 2:
                fields[key >> 3] = message[at : at + value]
                at += value
            elif key & 7 == 0:
                fields[key >> 3] = value
            else:
                return {}
    except IndexError:
        return {}
    return fields


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number at offset *at*, and the offset after it. Raises IndexError."""
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def _kind(begin: bytes) -> tuple[str, str]:
    """Return the format of a file with this beginning, and the fix."""
    text = begin.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for beginnings, what, fix in _KINDS:
        if text.startswith(beginnings):
            return what, fix
    printable = sum(byte >= 0x20 or byte in b"\t\r\n" for byte in begin)
    return ("is a text file" if printable == len(begin) else "is no OpenStreetMap extract"), GIVE
