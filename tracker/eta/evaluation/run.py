"""Run an evaluation: replay the training trips, then the trips to evaluate."""

from collections.abc import Callable, Sequence

from tracker.domain.eta.model import EtaModels
from tracker.eta.evaluation.baselines import Baselines
from tracker.eta.evaluation.recorded_trips import RecordedTrip
from tracker.eta.evaluation.replay import Replay
from tracker.eta.evaluation.score import Report, report_on
from tracker.routing.drive_analysis import Routes

Say = Callable[[str], None]
TOLD_EVERY = 20  # trips


async def evaluate(
    trips: Sequence[RecordedTrip], earlier: Sequence[RecordedTrip], router: Routes, say: Say
) -> Report:
    """Replay *earlier*, then *trips*, and return the report on *trips*.

    The forecasts learn from each trip after its end, as in the service. Without earlier trips, the run starts
    like a fresh installation, and the baselines have their prior constants.
    """
    learned, peers = EtaModels(), Baselines()
    if earlier:
        seen = await Replay(router, learned, peers).run(
            earlier, _progress("Learning from", len(earlier), say)
        )
        peers.fit(
            *([(each.said[name].seconds, each.real) for each in seen] for name in ("router", "straight_line"))
        )
    moments = await Replay(router, learned, peers).run(trips, _progress("Replaying", len(trips), say))
    return report_on(moments, len(trips))


def _progress(what: str, whole: int, say: Say) -> Callable[[int], None]:
    def told(done: int) -> None:
        if done % TOLD_EVERY == 0 or done == whole:
            say(f"{what} {whole} trips: {done} done")

    return told
