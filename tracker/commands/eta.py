"""`tracker eta evaluate`: forecasts for recorded trips, and their errors."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from tracker.config import Config
from tracker.eta import evaluation
from tracker.map.extract import prepare_map
from tracker.routing import Router


async def evaluate(
    trips: tuple[Path, ...], extract: Path | None, learn: tuple[Path, ...], say: Callable[[str], None]
) -> evaluation.Report:
    """Replay *trips* on the extract, after training on the trips in *learn*.

    Without an *extract* it uses the one of TRACKER_MAP, or else the demo area.
    Raises ConfigError, RouterUnavailable.
    """
    evaluated, earlier = (
        [trip for path in paths for trip in evaluation.read_trips(path)] for paths in (trips, learn)
    )
    config = Config.from_environment()
    if extract is not None:
        config = msgspec.structs.replace(config, map=str(extract))
    async with Router.open(await prepare_map(config, say), say) as router:
        return await evaluation.evaluate(evaluated, earlier, router, say)
