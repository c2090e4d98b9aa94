"""Download of an extract: resumed after a failure, and visible only when it is complete."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Final

import httpx
import msgspec

from tracker.errors import ConfigError
from tracker.map.extract_format import fault_of
from tracker.system.file_lock import locked
from tracker.system.progress import Say

LARGEST: Final = 8 * 2**30  # bytes; the tiles of such an extract need several times as much
FREE: Final = 3  # times the extract's size that must be free on disk, for it and its tiles
TRIES: Final = 5  # attempts if the connection fails
PAUSE: Final = 1.0  # seconds before the first retry; each later pause is one second longer
TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
STEP: Final = 1  # per cent between two lines of progress


class _Origin(msgspec.Struct, frozen=True):
    """The URL of a file, and the validator of the version that was downloaded."""

    url: str
    validator: str | None = None  # ETag or Last-Modified; None if the server sent neither


class _Interrupted(Exception):
    """The download failed but can be resumed or retried."""


async def download(url: str, path: Path, say: Say, *, refresh: bool = False) -> None:
    """Download *url* to *path* unless the file exists; with *refresh*, download it if it has changed.

    If several processes call it, one downloads and the others wait. Raises ConfigError.
    """
    if not refresh and _exists(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    async with locked(lock, lambda: say("Waiting for another process that is downloading the map")):
        if refresh or not _exists(path):
            await _Download(url, path, say).run()


def _exists(path: Path) -> bool:
    return path.is_file()


class _Download:
    """The download of one file."""

    def __init__(self, url: str, path: Path, say: Say) -> None:
        self._url, self._path, self._say = url, path, say
        self._part = path.with_name(f"{path.name}.part")
        self._reported = -STEP

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=True, max_redirects=5) as http:
            for attempt in range(TRIES):
                try:
                    await self._fetch(http)
                except _Interrupted as error:
                    if attempt + 1 == TRIES:
                        raise self._error(f"{error}; start again, and the download resumes") from error
                    self._say(f"The download of the map failed ({error}); resuming it")
                    await asyncio.sleep(PAUSE * (attempt + 1))
                else:
                    return

    async def _fetch(self, http: httpx.AsyncClient) -> None:
        begin, headers = self._request()
        try:
            async with http.stream("GET", self._url, headers=headers) as answer:
                if answer.status_code == httpx.codes.NOT_MODIFIED:
                    self._say(f"The map {self._path.name} is up to date")
                    return
                if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                    self._remove_part()
                    raise _Interrupted("the file has changed on the server")
                self._check_status(answer)
                await self._receive(answer, begin if answer.status_code == httpx.codes.PARTIAL_CONTENT else 0)
        except httpx.TransportError as error:
            raise _Interrupted(str(error) or type(error).__name__) from error
        except (httpx.InvalidURL, httpx.TooManyRedirects) as error:
            raise self._error(str(error)) from error

    def _request(self) -> tuple[int, dict[str, str]]:
        """Return the bytes already downloaded, and the headers that request the rest or a newer version."""
        headers = {"Accept-Encoding": "identity"}
        part = _read_origin(self._part)
        if part is not None and part.url == self._url and part.validator and self._part.is_file():
            begin = self._part.stat().st_size
            return begin, headers | {"Range": f"bytes={begin}-", "If-Range": part.validator}
        whole = _read_origin(self._path)
        if whole is not None and whole.url == self._url and whole.validator and self._path.is_file():
            name = "If-None-Match" if whole.validator.endswith('"') else "If-Modified-Since"
            headers[name] = whole.validator
        return 0, headers

    def _check_status(self, answer: httpx.Response) -> None:
        if answer.status_code >= 500 or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise _Interrupted(f"the server answers {answer.status_code}")
        if answer.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            why = f"the server answers {answer.status_code} {answer.reason_phrase}"
            raise self._error(f"{why}; open the address in a browser, and correct it")

    async def _receive(self, answer: httpx.Response, begin: int) -> None:
        length = answer.headers.get("Content-Length")
        total = begin + int(length) if length else None
        self._check_room(total or 0, begin)
        _write_origin(self._part, _Origin(self._url, _validator(answer)))
        with self._part.open("ab" if begin else "wb") as file:
            size = await self._write(answer.aiter_raw(2**18), file, begin, total)
        if total is not None and size != total:
            raise _Interrupted(f"{size} of {total} bytes arrived")
        self._finish()

    async def _write(
        self, chunks: AsyncIterator[bytes], file: IO[bytes], size: int, total: int | None
    ) -> int:
        async for chunk in chunks:
            file.write(chunk)
            size += len(chunk)
            if size > LARGEST:
                self._remove_part()
                self._check_room(size, size)
            self._report(size, total)
        return size

    def _check_room(self, total: int, begin: int) -> None:
        if total > LARGEST:
            raise self._error(f"it has {as_size(total)}, but the limit is {as_size(LARGEST)}; {_SMALLER}")
        free = shutil.disk_usage(self._path.parent).free
        if FREE * total - begin > free:
            raise self._error(
                f"it has {as_size(total)}, which needs {as_size(FREE * total)} of free disk; {_SMALLER}"
            )

    def _report(self, size: int, total: int | None) -> None:
        share = 100 * size // total if total else 0
        if share >= self._reported + STEP:
            self._reported = share
            self._say(f"Downloading the map {self._path.name}: {share} % of {as_size(total or 0)}")

    def _finish(self) -> None:
        """Verify the file and rename it, so that the complete file appears at once, then store its origin."""
        if fault := fault_of(self._part):
            self._remove_part()
            raise self._error(f"the file {fault}")
        origin = _read_origin(self._part)
        self._part.replace(self._path)
        if origin is not None:
            _write_origin(self._path, origin)
        _origin_path(self._part).unlink(missing_ok=True)
        self._say(f"The map {self._path.name} is downloaded")

    def _remove_part(self) -> None:
        self._part.unlink(missing_ok=True)
        _origin_path(self._part).unlink(missing_ok=True)

    def _error(self, why: str) -> ConfigError:
        return ConfigError("TRACKER_MAP", f"{self._url} could not be downloaded: {why}")


_SMALLER: Final = "give a smaller extract, of a city or a region"


def _validator(answer: httpx.Response) -> str | None:
    """Return the strong ETag, or else Last-Modified. A weak ETag cannot resume a download (RFC 9110)."""
    etag: str | None = answer.headers.get("ETag")
    if etag is not None and not etag.startswith("W/"):
        return etag
    modified: str | None = answer.headers.get("Last-Modified")
    return modified


def as_size(size: int) -> str:
    """Format a number of bytes, such as `0.69 MB`."""
    if size < 10_000:
        return f"{size} bytes"
    return f"{size / 1e9:.2f} GB" if size >= 1e7 else f"{size / 1e6:.2f} MB"


def _origin_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.origin.json")


def _read_origin(path: Path) -> _Origin | None:
    try:
        return msgspec.json.decode(_origin_path(path).read_bytes(), type=_Origin)
    except (OSError, msgspec.DecodeError):
        return None


def _write_origin(path: Path, origin: _Origin) -> None:
    _origin_path(path).write_bytes(msgspec.json.encode(origin))
