"""Mutant: every sending has a key of its own, so that a second one is stored again."""

from datetime import timedelta
from itertools import count
from typing import Any

import msgspec

from tracker.__main__ import main
from tracker.database.fix_batch import Batch, microseconds

_numbers = count()
_add = Batch.add


def _with_a_key_of_its_own(self: Batch, key: tuple[int, int], judged: Any, *rest: Any) -> bool:
    moved = judged.sent_at + timedelta(microseconds=next(_numbers) % 7)
    return _add(self, (key[0], microseconds(moved)), msgspec.structs.replace(judged, sent_at=moved), *rest)


if __name__ == "__main__":
    setattr(Batch, "add", _with_a_key_of_its_own)  # noqa: B010
    main()
