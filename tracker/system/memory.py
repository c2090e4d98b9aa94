"""MemoryLimit: admit clients only while the process is below its memory limit.

At the limit the kernel kills the process, or an allocation fails anywhere, so new clients are refused before.
A control group's limit also covers what the kernel holds for the group: sockets, page tables, the page cache.

Connected clients may still grow: one that stops reading takes 27 KiB more than an idle one. So the limiter
keeps that much free for each, besides a fixed reserve.

CPython reuses freed memory but rarely returns it to the system. So the limiter also remembers how many
clients there were when memory became short: as many can be served again.
"""

import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

# Bytes: 24 MB for requests in progress, 8 for code that the kernel would otherwise read from disk repeatedly,
# 8 for another program in the group, such as a health check.
RESERVE: Final = 40_000_000
GROWTH: Final = 28_000  # bytes that a connected client may still take
EASE: Final = 2.0  # times RESERVE; with more left, memory was returned to the system
LOOK_EVERY: Final = 0.1  # seconds
UNLIMITED: Final = 1 << 60  # bytes; the kernel's own value for "no limit" is larger

_groups: Final = Path("/sys/fs/cgroup")


class MemoryLimit:
    """Decides whether one more client is admitted."""

    def __init__(self) -> None:
        self._looked_at = 0.0
        self._is_short = False
        self._fitted = 0  # clients connected when memory was short; 0 once much is free again

    def admits(self, clients: int, now: float) -> bool:
        """Return whether a client may join *clients* others. Memory is read at most every LOOK_EVERY."""
        if now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            left = remaining() - GROWTH * clients
            self._is_short = left < RESERVE
            if self._is_short:
                self._fitted = max(self._fitted, clients)
            elif left >= EASE * RESERVE:
                self._fitted = 0
        return not self._is_short or clients < self._fitted


def is_scarce() -> bool:
    """Return whether less than EASE times the reserve is left."""
    return remaining() < EASE * RESERVE


def remaining() -> int:
    """Return the bytes left until the nearest limit: RLIMIT_DATA or the control group's."""
    return min(_of_process(), _of_group(), UNLIMITED)


def _of_process() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return (
        UNLIMITED
        if limit == resource.RLIM_INFINITY
        else limit - _number("VmData:", "/proc/self/status") * 1024
    )


def _of_group() -> int:
    """Read cgroup v2, else v1. The page cache doesn't count as used: the kernel drops it before it kills."""
    for folder, prefix, limit, used in (
        (_groups, "", "memory.max", "memory.current"),
        (_groups / "memory", "total_", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        for group in _own_groups(folder):
            with suppress(OSError, ValueError):
                left = int((group / limit).read_text()) - int((group / used).read_text())
                files = (f"{prefix}active_file ", f"{prefix}inactive_file ")
                return left + sum(_number(name, str(group / "memory.stat")) for name in files)
    return UNLIMITED


def _own_groups(folder: Path) -> list[Path]:
    """Return the folders of this process's group; in a container the group is the root."""
    with suppress(OSError):
        lines = [line.split(":") for line in Path("/proc/self/cgroup").read_text().splitlines()]
        return [folder / path.lstrip("/") for _, names, path in lines if names in {"", "memory"}] + [folder]
    return []


def _number(name: str, file: str) -> int:
    """Return the number in the line of *file* that begins with *name*; 0 if there is none."""
    with suppress(OSError):
        for line in Path(file).read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
