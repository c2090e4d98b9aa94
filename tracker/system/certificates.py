"""TLS certificates that are replaced while the server runs."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

WATCH_EVERY_S: Final = 2.0

log = structlog.get_logger()


class Certificates:
    """The TLS context of a listener. Each handshake uses the newest certificate that could be read.

    Connections keep the certificate of their handshake. *make* reads the files and returns a new context; if
    that fails, the last context stays.
    """

    def __init__(self, make: Callable[[], ssl.SSLContext], files: Sequence[Path]) -> None:
        self._make = make
        self._files = files
        self._tried = self._stamps()  # the state of the files at the last attempt
        self._newest = make()
        self.context: Final = make()
        self.context.sni_callback = self._choose

    def _choose(self, tls: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _: ssl.SSLContext) -> None:
        """Called in each handshake, also without a server name."""
        tls.context = self._newest

    def reload(self) -> None:
        """Read the files again. A broken or missing file is logged, and the last certificate stays."""
        self._tried = self._stamps()
        try:
            self._newest = self._make()
        except Exception as error:
            log.warning("certificate_not_reloaded", why=str(error))
        else:
            log.info("certificate_reloaded", file=str(self._files[0]))

    async def watch(self) -> None:
        """Reload when the files have changed and then stayed the same for one turn, until cancelled."""
        before = self._tried
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            now = self._stamps()
            if now == before and now != self._tried:
                self.reload()
            before = now

    def _stamps(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_stamp, self._files))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what differs after a change; symbolic links, such as Kubernetes replaces, are followed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
