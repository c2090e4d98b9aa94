"""What a process has used, from /proc."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def processor_s(pid: int, *, children: bool = False) -> float:
    """Return the processor's seconds of a process, with *children* also of its living and dead ones."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, dead_user, dead_system = map(int, fields[11:15])
    if not children:
        return (user + system) / _TICKS
    living = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = (user + system + dead_user + dead_system) / _TICKS
    return own + sum(processor_s(int(child)) for child in living if Path(f"/proc/{child}").exists())


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
