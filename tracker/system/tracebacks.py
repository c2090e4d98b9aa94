"""Tracebacks: reference cycles between an exception and its frames."""

from traceback import clear_frames


def clear_traceback(error: BaseException) -> None:
    """Clear the traceback's frames to break the exception–frame cycle.

    Otherwise all objects of a connection wait for the garbage collector, and lengthen its pass.
    """
    clear_frames(error.__traceback__)
