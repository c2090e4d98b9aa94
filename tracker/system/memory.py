"""Headroom: how much memory this process may still take, where somebody has set it a limit.

Whoever asks for more than the limit is killed by the kernel, or finds an allocation failed anywhere: so new
clients are refused before. What clients have left is used again but rarely given back to the system: so the
number of those who were there when it became short counts, and not the memory alone.
"""

import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

RESERVE: Final = 24_000_000  # bytes for those who are here already
EASE: Final = 2.0  # times as much: then what clients have left was given back
LOOK_EVERY: Final = 0.1  # seconds
UNLIMITED: Final = 1 << 60  # bytes; the kernel's own "no limit" is somewhat more

_groups: Final = Path("/sys/fs/cgroup")


class MemoryLimit:
    """Whether one more client may come."""

    def __init__(self) -> None:
        self._looked_at = 0.0
        self._is_short = False
        self._fitted = 0  # clients who were there when memory was short, until much of it is there again

    def is_there(self, clients: int, now: float) -> bool:
        if now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            left = remaining()
            self._is_short = left < RESERVE
            if self._is_short:
                self._fitted = max(self._fitted, clients)
            elif left >= EASE * RESERVE:
                self._fitted = 0
        return not self._is_short or clients < self._fitted


def is_scarce() -> bool:
    """Whether it will be short soon, or was and is not much better."""
    return remaining() < EASE * RESERVE


def remaining() -> int:
    """Bytes until the nearest limit: of this process's data, or of its control group."""
    return min(_of_process(), _of_group(), UNLIMITED)


def _of_process() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return (
        UNLIMITED
        if limit == resource.RLIM_INFINITY
        else limit - _number("VmData:", "/proc/self/status") * 1024
    )


def _of_group() -> int:
    """Of version 2, else 1; what the kernel could take back (files in its cache) is not counted."""
    for folder, limit, used in (
        (_groups, "memory.max", "anon "),
        (_groups / "memory", "memory.limit_in_bytes", "total_rss "),
    ):
        for group in _own_groups(folder):
            with suppress(OSError, ValueError):
                return int((group / limit).read_text()) - _number(used, str(group / "memory.stat"))
    return UNLIMITED


def _own_groups(folder: Path) -> list[Path]:
    """As this process sees it: in a container its own group is the root."""
    with suppress(OSError):
        lines = [line.split(":") for line in Path("/proc/self/cgroup").read_text().splitlines()]
        return [folder / path.lstrip("/") for _, names, path in lines if names in {"", "memory"}] + [folder]
    return []


def _number(name: str, file: str) -> int:
    """Of the line that begins with this name; 0 where there is none."""
    with suppress(OSError):
        for line in Path(file).read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
