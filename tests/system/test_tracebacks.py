"""What a task group raised is let go of without the collector."""

import asyncio
import gc
import weakref

import pytest

from tracker.system.tracebacks import clear_traceback


class Held:
    """Stands for all that a connection has."""


async def fails(held: Held) -> None:
    raise KeyError(id(held))


async def in_a_group() -> weakref.ref[Held]:
    held = Held()
    seen = weakref.ref(held)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fails(held))
    except* KeyError as group:
        clear_traceback(group)
    return seen


async def test_what_a_failed_task_held_is_freed_at_once() -> None:
    """No pass of the collector is needed for it."""
    gc.collect()
    gc.disable()
    try:
        seen = await in_a_group()
        await asyncio.sleep(0)  # yields, so that the task's end is processed
        assert seen() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("error", [KeyError("a"), ExceptionGroup("of", [KeyError("b")])])
def test_an_error_without_frames_is_left_as_it_is(error: Exception) -> None:
    """One that was never raised."""
    clear_traceback(error)
    assert error.__traceback__ is None
