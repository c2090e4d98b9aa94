"""Static files for browsers, compressed once and cached without expiry."""

import gzip
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct

from tracker.api.client_info import public_path
from tracker.api.script_bundle import bundle
from tracker.system.package_files import folder

FOLDERS: Final = ("src", "style", "icons", "messages", "vendor")
TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".png": "image/png",
}
BUNDLED: Final = {f"src/{name}.js": name for name in ("track", "order-tracker", "stream", "dispatch")}
INCOMPRESSIBLE: Final = {".woff2", ".png"}


class WebFile(Struct, frozen=True):
    """A file to send. `gzipped` is None if compression gains nothing, `brotli` if the build made none."""

    content_type: str
    etag: str
    content: bytes
    gzipped: bytes | None
    brotli: bytes | None = None

    def encoded(self, *, gzip: bool, brotli: bool) -> tuple[bytes, str]:
        """Return the smallest content that the client accepts, and its encoding, or ""."""
        if brotli and self.brotli is not None:
            return self.brotli, "br"
        return (self.gzipped, "gzip") if gzip and self.gzipped is not None else (self.content, "")


class WebFiles:
    """All public files of `web/` under one version, since modules refer to each other by name.

    The URL holds the version, so browsers never need to revalidate a file.
    """

    def __init__(self, root: Path) -> None:
        self._paths = {path.relative_to(root).as_posix(): path for path in _files_below(root)}
        digest = sha256()
        for name, path in sorted(self._paths.items()):
            digest.update(name.encode() + b"\0" + path.read_bytes())
        self.version = digest.hexdigest()[:12]
        self._load: dict[str, WebFile] = {}

    def url(self, name: str) -> str:
        """Return the URL of a file: `src/track.js` -> `/static/<version>/src/track.js`."""
        return f"/static/{self.version}/{name}"

    def names(self, prefix: str, suffix: str) -> tuple[str, ...]:
        """Return the paths that begin and end so, sorted."""
        return tuple(
            sorted(name for name in self._paths if name.startswith(prefix) and name.endswith(suffix))
        )

    def find(self, name: str) -> WebFile | None:
        """Return the file with this path below `web/`, or None. It is read on first use."""
        if name not in self._load and (path := self._paths.get(name)) is not None:
            self._load[name] = _load(path, self._bundled(name) or path.read_bytes())
        return self._load.get(name)

    def _bundled(self, name: str) -> bytes | None:
        """Return a script with all that it imports; None for other files."""
        if name not in BUNDLED:
            return None
        return bundle(
            BUNDLED[name], lambda module: self._paths[f"src/{module}.js"].read_text("utf-8")
        ).encode()

    def preload(self) -> None:
        """Read and compress the files that pages need, some 0.3 s, before the first request."""
        for name in self._paths:
            if not name.startswith("vendor/swagger"):
                self.find(name)


@cache
def web_files() -> WebFiles:
    return WebFiles(folder("web"))


def static_url(name: str) -> str:
    """Return the URL path of a file for clients."""
    return public_path(web_files().url(name))


def _files_below(root: Path) -> Iterator[Path]:
    for name in FOLDERS:
        yield from (path for path in (root / name).rglob("*") if path.is_file() and path.suffix in TYPES)


def _load(path: Path, content: bytes) -> WebFile:
    etag = sha256(content).hexdigest()[:20]
    gzipped = None if path.suffix in INCOMPRESSIBLE else gzip.compress(content, compresslevel=9, mtime=0)
    packed = path.with_name(f"{path.name}.br")
    brotli = packed.read_bytes() if packed.is_file() else None
    return WebFile(TYPES[path.suffix], etag, content, gzipped, brotli)
