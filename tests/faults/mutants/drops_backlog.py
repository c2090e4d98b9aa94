"""Mutant: fixes of more than a minute ago are acknowledged and thrown away."""

from datetime import timedelta
from typing import Any

from tracker.__main__ import main
from tracker.fix_recorder import FixRecorder, Recorded

_record = FixRecorder.record
LIVE = timedelta(seconds=60)


async def _only_live(self: FixRecorder, driver: int, fixes: Any, *rest: Any, **more: Any) -> Recorded:
    live = [judged for judged in fixes if judged.received_at - judged.sent_at < LIVE]
    done = await _record(self, driver, live, *rest, **more)
    return Recorded(done.stored + len(fixes) - len(live), done.duplicates)


if __name__ == "__main__":
    FixRecorder.record = _only_live  # type: ignore[method-assign]
    main()
