"""Mutant: takes whatever comes and lets it wait for the database for ever."""

from math import inf

from tracker import fix_recorder
from tracker.__main__ import main
from tracker.api.driver import session

if __name__ == "__main__":
    fix_recorder.ROWS_WAITING = 10**12  # type: ignore[misc]
    fix_recorder.TIMEOUT_S = inf  # type: ignore[misc]
    session.MAX_IN_FLIGHT = 10**9  # type: ignore[misc]
    main()
