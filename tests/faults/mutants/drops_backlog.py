"""Mutant: fixes of more than a minute ago are acknowledged and thrown away."""

from datetime import timedelta
from typing import Any

from tracker.__main__ import main
from tracker.recorder import Recorded, Recorder

_record = Recorder.record
LIVE = timedelta(seconds=60)


async def _only_live(
    self: Recorder, driver: int, fixes: Any, received_at: Any, reasons: Any, *rest: Any, **more: Any
) -> Recorded:
    kept = [pair for pair in zip(fixes, reasons, strict=True) if received_at - pair[0].recorded_at < LIVE]
    live, why = [fix for fix, _ in kept], [reason for _, reason in kept]
    done = await _record(self, driver, live, received_at, why, *rest, **more)
    return Recorded(done.stored + len(fixes) - len(live), done.duplicates)


if __name__ == "__main__":
    Recorder.record = _only_live  # type: ignore[method-assign]
    main()
