"""Not a mutant but a moment: the process dies after a commit and before anybody is told of it."""

import os
import signal
from itertools import count
from typing import Any

from tracker import fix_recorder
from tracker.__main__ import main
from tracker.database.fix_batch import store

_commits = count(1)
LAST = 3


async def _store(*args: Any) -> Any:
    stored = await store(*args)
    if next(_commits) == LAST:
        os.kill(os.getpid(), signal.SIGKILL)
    return stored


if __name__ == "__main__":
    vars(fix_recorder)["store"] = _store
    main()
