"""OpenStreetMap extracts that are broken in one way each."""

from pathlib import Path
from typing import Final

from tracker.config import Config
from tracker.map.extract import find_map

LENGTH: Final = 4  # bytes that tell the length of a block's header


def demo() -> bytes:
    """The demo area, whole."""
    return find_map(Config()).path.read_bytes()


def block(kind: bytes, content: bytes) -> bytes:
    """A block of an .osm.pbf file: the length of its header, its header, its content."""
    header = b"\x0a" + bytes([len(kind)]) + kind + b"\x18" + _varint(len(content))
    return len(header).to_bytes(LENGTH, "big") + header + content


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _header() -> bytes:
    """The first block of the demo area."""
    whole = demo()
    length = int.from_bytes(whole[:LENGTH], "big")
    content = whole[LENGTH : LENGTH + length].rpartition(b"\x18")[2]
    size = sum((byte & 0x7F) << (7 * n) for n, byte in enumerate(content))
    return whole[: LENGTH + length + size]


def unreadable(path: Path) -> Path:
    """Blocks of the right lengths, whose contents nobody can read."""
    path.write_bytes(_header() + block(b"OSMData", b"\x07" * 1000))
    return path
