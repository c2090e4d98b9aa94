"""Spool: records by key on disk, so that drawing a map of any size needs bounded memory."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

BUFFER: Final = 32 * 2**20  # bytes buffered in memory before they are written
_LENGTH: Final = 4  # bytes that hold the length, before each record


class Spool:
    """Records added in any order and read by key. Leaving the block removes the file."""

    def __init__(self, path: Path, buffer: int = BUFFER) -> None:
        self._path = path
        self._buffer = buffer
        self._file = path.open("w+b")
        self._waiting: defaultdict[int, bytearray] = defaultdict(bytearray)
        self._bytes_waiting = 0
        self._chunks: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)  # key -> (offset, length)
        self.sizes: defaultdict[int, int] = defaultdict(int)  # key -> bytes

    def add(self, key: int, record: bytes) -> None:
        self._waiting[key] += len(record).to_bytes(_LENGTH) + record
        self.sizes[key] += len(record)
        self._bytes_waiting += len(record)
        if self._bytes_waiting > self._buffer:
            self._write()

    def records(self, key: int) -> Iterator[bytes]:
        """Yield the records of a key in the order in which they were added."""
        self._write()
        for offset, length in self._chunks.get(key, ()):
            self._file.seek(offset)
            chunk = self._file.read(length)
            at = 0
            while at < length:
                end = at + _LENGTH + int.from_bytes(chunk[at : at + _LENGTH])
                yield chunk[at + _LENGTH : end]
                at = end

    def _write(self) -> None:
        for key, content in self._waiting.items():
            self._chunks[key].append((self._file.seek(0, 2), len(content)))
            self._file.write(content)
        self._waiting.clear()
        self._bytes_waiting = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)
