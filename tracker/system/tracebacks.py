"""Groups of exceptions: what a task group raised, and what it came through."""

from traceback import clear_frames


def let_go(error: BaseException) -> None:
    """Its frames forget what they held, themselves and the error among it: all of that can be freed at once.

    Else everything that a connection had stays until the collector comes by, and makes its pass the longer.
    """
    clear_frames(error.__traceback__)
