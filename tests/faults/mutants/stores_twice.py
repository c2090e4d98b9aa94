"""Mutant: every sending has a key of its own, so that a second one is stored again."""

from itertools import count
from typing import Any

from tracker import fix_recorder
from tracker.__main__ import main
from tracker.database.fix_batch import Key, pack

_numbers = count()


def _of_its_own(driver: int, judged: Any, *rest: Any) -> tuple[Key, bytes]:
    (_, at), row = pack(driver, judged, *rest)
    moved = at + next(_numbers) % 7
    return (driver, moved), row[:18] + moved.to_bytes(8, "big", signed=True) + row[26:]


if __name__ == "__main__":
    vars(fix_recorder)["pack"] = _of_its_own
    main()
