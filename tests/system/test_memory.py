"""New clients are refused before memory is used up, and let in again when others have left."""

import subprocess
import sys
from pathlib import Path

import pytest

from tracker.system import memory
from tracker.system.memory import GROWTH, LOOK_EVERY, RESERVE, UNLIMITED, MemoryLimit, remaining


def test_a_limit_of_the_process_is_seen() -> None:
    """What remains is the limit less what it has, and falls with what it takes.

    In a process of its own: threads that end give back memory of this one at any time.
    """
    program = """
import resource
from tracker.system.memory import _number, remaining
has = _number("VmData:", "/proc/self/status") * 1024
resource.setrlimit(resource.RLIMIT_DATA, (has + 100_000_000, resource.RLIM_INFINITY))
before = remaining()
taken = bytearray(50_000_000)
assert before <= 100_000_000, before
assert remaining() <= before - len(taken), (before, remaining())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_while_memory_is_short_nobody_more_than_were_there_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever leaves makes room, though their memory was not given back; with memory there is no limit."""
    left = {"bytes": UNLIMITED}
    monkeypatch.setattr(memory, "remaining", lambda: left["bytes"])
    room, now = MemoryLimit(), 1.0
    assert room.admits(500, now)
    left["bytes"], now = RESERVE - 1, now + LOOK_EVERY
    assert not room.admits(500, now)
    assert not room.admits(500, now + LOOK_EVERY)
    assert room.admits(499, now + LOOK_EVERY)
    left["bytes"], now = RESERVE + 10_000 * GROWTH, now + 1.0
    assert room.admits(10_000, now)
    left["bytes"], now = RESERVE - 1, now + 1.0
    assert room.admits(499, now), "so many had room, and nothing was given back"
    left["bytes"], now = UNLIMITED, now + 1.0
    assert room.admits(10_000, now)
    left["bytes"], now = RESERVE - 1, now + 1.0
    assert not room.admits(400, now)


def test_connected_clients_may_still_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The more clients are connected, the more must be free for another one."""
    monkeypatch.setattr(memory, "remaining", lambda: RESERVE + 1_000 * GROWTH)
    assert MemoryLimit().admits(1_000, 1.0)
    assert not MemoryLimit().admits(1_001, 1.0)


V1 = {
    "limit": "memory/memory.limit_in_bytes",
    "used": "memory/memory.usage_in_bytes",
    "stat": "memory/memory.stat",
}
V2 = {"limit": "memory.max", "used": "memory.current", "stat": "memory.stat"}


@pytest.mark.parametrize(("files", "prefix"), [(V1, "total_"), (V2, "")])
def test_a_group_counts_what_the_kernel_counts(
    files: dict[str, str], prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernel memory and files in /tmp count as used; the page cache does not, because it can be dropped."""
    (tmp_path / "memory").mkdir()
    (tmp_path / files["limit"]).write_text("256000000\n")
    (tmp_path / files["used"]).write_text("200000000\n")
    stat = {"rss": 120_000_000, "active_file": 30_000_000, "inactive_file": 20_000_000, "shmem": 20_000_000}
    (tmp_path / files["stat"]).write_text(
        "".join(f"{prefix}{name} {value}\n" for name, value in stat.items())
    )
    monkeypatch.setattr(memory, "_groups", tmp_path)
    monkeypatch.setattr(memory, "_of_process", lambda: UNLIMITED)
    assert remaining() == 256_000_000 - 200_000_000 + 50_000_000


def test_a_group_without_a_limit_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`max` is no number, and means no limit."""
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("200000000\n")
    monkeypatch.setattr(memory, "_groups", tmp_path)
    monkeypatch.setattr(memory, "_of_process", lambda: UNLIMITED)
    assert remaining() == UNLIMITED
