"""The file of a backup: a zip with one member for each table, and a manifest with their checksums.

A member is the table as COPY writes text. The manifest comes last, so a backup that was cut off has none.
"""

import os
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Final, Self

import msgspec

from tracker.errors import ConfigError

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
CHUNK: Final = 1 << 20  # bytes
LEVEL: Final = 6  # of the compression
_DAMAGED: Final = (zipfile.BadZipFile, KeyError, EOFError, OSError, msgspec.MsgspecError)


class SavedTable(msgspec.Struct, frozen=True):
    """One table as it was saved."""

    name: str
    columns: list[str]
    rows: int
    size: int  # bytes before compression
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds, and what it was made by."""

    format: int = FORMAT
    made_at: datetime
    migrations: dict[str, str]  # name -> SHA-256 of the file, as hexadecimal digits
    tables: list[SavedTable]  # referenced tables first
    sequences: dict[str, int]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


class ArchiveWriter:
    """A backup that is being written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    @classmethod
    @contextmanager
    def create(cls, path: Path) -> Iterator[Self]:
        """Write a file that only its owner may read; it gets its name when the block has ended well.

        Raises ConfigError if the file exists or cannot be written.
        """
        draft = path.with_name(f"{path.name}.part")
        try:
            if path.exists():
                raise ConfigError(str(path), "exists already; give another name, or remove it")
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
                    yield cls(archive)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        except OSError as error:
            raise ConfigError(str(path), f"cannot be written: {error.strerror or error}") from error
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def table(self, name: str) -> Iterator["TableWriter"]:
        with self._archive.open(f"tables/{name}", "w", force_zip64=True) as member:
            yield TableWriter(member)

    def finish(self, manifest: Manifest) -> None:
        self._archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))


class TableWriter:
    """Counts and checks what is written to one member."""

    def __init__(self, member: IO[bytes]) -> None:
        self._member = member
        self._hash = sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._member.write(data)
        self._hash.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class ArchiveReader:
    """A backup that is being read."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path = path
        self._archive = archive
        self.manifest = self._read_manifest()

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Raises ConfigError if the file is missing, cut off, or no backup."""
        try:
            archive = zipfile.ZipFile(path)
        except FileNotFoundError as error:
            raise ConfigError(str(path), "there is no such file") from error
        except _DAMAGED as error:
            raise _damaged(path) from error
        with archive:
            yield cls(path, archive)

    def _read_manifest(self) -> Manifest:
        try:
            manifest = msgspec.json.decode(self._archive.read(MANIFEST), type=Manifest)
        except _DAMAGED as error:
            raise _damaged(self._path) from error
        if manifest.format != FORMAT:
            why = f"has the format {manifest.format}; this version reads {FORMAT}"
            raise ConfigError(str(self._path), why)
        return manifest

    async def read(self, table: SavedTable) -> AsyncIterator[bytes]:
        """Yield the table's bytes. Raises ConfigError at the end if they are not those that were saved."""
        found = sha256()
        try:
            with self._archive.open(f"tables/{table.name}") as member:
                while data := member.read(CHUNK):
                    found.update(data)
                    yield data
        except _DAMAGED as error:
            raise _damaged(self._path) from error
        if found.hexdigest() != table.sha256:
            raise _damaged(self._path)


def _damaged(path: Path) -> ConfigError:
    return ConfigError(str(path), "is damaged, cut off, or no backup; nothing was restored")
