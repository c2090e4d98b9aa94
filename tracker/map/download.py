"""An extract from the web: fetched once, gone on with after a break, and never there half."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, Final

import httpx
import msgspec

from tracker.errors import ConfigError
from tracker.map.extract_format import fault_of
from tracker.system.file_lock import locked

LARGEST: Final = 8 * 2**30  # bytes; tiles and drawing of such an extract need several times as much
FREE: Final = 3  # times the extract's size that the disk has to have left, for it and what is made of it
TRIES: Final = 5  # of a connection that breaks
PAUSE: Final = 1.0  # seconds, before each further one longer
TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
STEP: Final = 1  # per cent between two words of progress

Say = Callable[[str], None]


class _Origin(msgspec.Struct, frozen=True):
    """Whence a file is, and what says there whether it is still the same."""

    url: str
    validator: str | None = None  # ETag, or Last-Modified; None: not told


class _Broken(Exception):
    """The connection broke; what arrived is kept."""


async def download(url: str, path: Path, say: Say, *, refresh: bool = False) -> None:
    """Makes `path` hold what is at `url`, if it is not there yet; with `refresh` asks for a newer one.

    Of several processes one fetches, the others wait. Raises ConfigError, which says how to mend it.
    """
    if not refresh and _is_here(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    async with locked(lock, lambda: say("Waiting for another process that is downloading the map")):
        if refresh or not _is_here(path):
            await _Download(url, path, say).run()


def _is_here(path: Path) -> bool:
    return path.is_file()


class _Download:
    """One file on its way."""

    def __init__(self, url: str, path: Path, say: Say) -> None:
        self._url, self._path, self._say = url, path, say
        self._part = path.with_name(f"{path.name}.part")
        self._told = -STEP

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=True, max_redirects=5) as http:
            for attempt in range(TRIES):
                try:
                    await self._fetch(http)
                except _Broken as error:
                    if attempt + 1 == TRIES:
                        raise self._wrong(f"{error}; what has arrived is kept, start again") from error
                    self._say(f"Download of the map broke off ({error}); going on with it")
                    await asyncio.sleep(PAUSE * (attempt + 1))
                else:
                    return

    async def _fetch(self, http: httpx.AsyncClient) -> None:
        begin, headers = self._wanted()
        try:
            async with http.stream("GET", self._url, headers=headers) as answer:
                if answer.status_code == httpx.codes.NOT_MODIFIED:
                    self._say(f"The map {self._path.name} is the newest")
                    return
                if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                    self._forget_part()
                    raise _Broken("the file has changed there")
                self._check_status(answer)
                await self._take(answer, begin if answer.status_code == httpx.codes.PARTIAL_CONTENT else 0)
        except httpx.TransportError as error:
            raise _Broken(str(error) or type(error).__name__) from error
        except (httpx.InvalidURL, httpx.TooManyRedirects) as error:
            raise self._wrong(str(error)) from error

    def _wanted(self) -> tuple[int, dict[str, str]]:
        """How much is there already, and the request for the rest, or for something newer."""
        headers = {"Accept-Encoding": "identity"}
        part = _origin(self._part)
        if part is not None and part.url == self._url and part.validator and self._part.is_file():
            begin = self._part.stat().st_size
            return begin, headers | {"Range": f"bytes={begin}-", "If-Range": part.validator}
        whole = _origin(self._path)
        if whole is not None and whole.url == self._url and whole.validator and self._path.is_file():
            name = "If-None-Match" if whole.validator.endswith('"') else "If-Modified-Since"
            headers[name] = whole.validator
        return 0, headers

    def _check_status(self, answer: httpx.Response) -> None:
        if answer.status_code >= 500 or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise _Broken(f"the server answers {answer.status_code}")
        if answer.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise self._wrong(f"the server answers {answer.status_code} {answer.reason_phrase}")

    async def _take(self, answer: httpx.Response, begin: int) -> None:
        length = answer.headers.get("Content-Length")
        total = begin + int(length) if length else None
        self._check_room(total or 0, begin)
        _keep_origin(self._part, _Origin(self._url, _validator(answer)))
        with self._part.open("ab" if begin else "wb") as file:
            size = await self._write(answer.aiter_raw(2**18), file, begin, total)
        if total is not None and size != total:
            raise _Broken(f"{size} of {total} bytes arrived")
        self._finish()

    async def _write(
        self, pieces: AsyncIterator[bytes], file: IO[bytes], size: int, total: int | None
    ) -> int:
        async for piece in pieces:
            file.write(piece)
            size += len(piece)
            if size > LARGEST:
                self._forget_part()
                self._check_room(size, size)
            self._tell(size, total)
        return size

    def _check_room(self, total: int, begin: int) -> None:
        if total > LARGEST:
            raise self._wrong(
                f"it has {as_size(total)}, and at most {as_size(LARGEST)} are taken; {_SMALLER}"
            )
        free = shutil.disk_usage(self._path.parent).free
        if FREE * total - begin > free:
            raise self._wrong(
                f"it has {as_size(total)}, which needs {as_size(FREE * total)} of disk; {_SMALLER}"
            )

    def _tell(self, size: int, total: int | None) -> None:
        share = 100 * size // total if total else 0
        if share >= self._told + STEP:
            self._told = share
            self._say(f"Downloading the map {self._path.name}: {share} % of {as_size(total or 0)}")

    def _finish(self) -> None:
        """From one moment to the next the whole file is there, with its origin."""
        if fault := fault_of(self._part):
            self._forget_part()
            raise self._wrong(f"what is there {fault}")
        origin = _origin(self._part)
        self._part.replace(self._path)
        if origin is not None:
            _keep_origin(self._path, origin)
        _origin_path(self._part).unlink(missing_ok=True)
        self._say(f"The map {self._path.name} is here")

    def _forget_part(self) -> None:
        self._part.unlink(missing_ok=True)
        _origin_path(self._part).unlink(missing_ok=True)

    def _wrong(self, why: str) -> ConfigError:
        return ConfigError("TRACKER_MAP", f"{self._url} could not be downloaded: {why}")


_SMALLER: Final = "give a smaller extract, of a city or a region"


def _validator(answer: httpx.Response) -> str | None:
    """A weak ETag says nothing of bytes, so it cannot go on with half of them."""
    etag: str | None = answer.headers.get("ETag")
    if etag is not None and not etag.startswith("W/"):
        return etag
    modified: str | None = answer.headers.get("Last-Modified")
    return modified


def as_size(size: int) -> str:
    """A number of bytes for people."""
    if size < 10_000:
        return f"{size} bytes"
    return f"{size / 1e9:.2f} GB" if size >= 1e7 else f"{size / 1e6:.2f} MB"


def _origin_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.origin.json")


def _origin(path: Path) -> _Origin | None:
    try:
        return msgspec.json.decode(_origin_path(path).read_bytes(), type=_Origin)
    except (OSError, msgspec.DecodeError):
        return None


def _keep_origin(path: Path, origin: _Origin) -> None:
    _origin_path(path).write_bytes(msgspec.json.encode(origin))
