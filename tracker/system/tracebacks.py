"""Tracebacks: reference cycles between an exception and its frames."""

from traceback import clear_frames


def clear_traceback(error: BaseException) -> None:
    """Clear the traceback's frames to break the exception–frame cycle.

    Otherwise all objects of a connection wait for the garbage collector, and lengthen its pass.
    """
    clear_frames(error.__traceback__)


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """Return the errors of a group and of the groups in it."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
