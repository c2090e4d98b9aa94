"""New clients are refused before memory is used up, and let in again when others have left."""

import resource
from collections.abc import Iterator

import pytest

from tracker.system import memory
from tracker.system.memory import LOOK_EVERY, RESERVE, UNLIMITED, MemoryLimit, remaining


@pytest.fixture
def limited() -> Iterator[None]:
    """This process may have as much data as it has, and 100 MB more."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    has = memory._number("VmData:", "/proc/self/status") * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (has + 100_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


@pytest.mark.usefixtures("limited")
def test_a_limit_of_the_process_is_seen() -> None:
    """What remains is the limit less what it has, and falls with what it takes."""
    before = remaining()
    taken = bytearray(50_000_000)
    assert before <= 100_000_000
    assert remaining() <= before - len(taken)


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
    left["bytes"], now = RESERVE, now + 1.0
    assert room.admits(10_000, now)
    left["bytes"], now = RESERVE - 1, now + 1.0
    assert room.admits(499, now), "so many had room, and nothing was given back"
    left["bytes"], now = UNLIMITED, now + 1.0
    assert room.admits(10_000, now)
    left["bytes"], now = RESERVE - 1, now + 1.0
    assert not room.admits(400, now)
