"""Run an evaluation: replay the training trips, then the trips to evaluate."""

from collections.abc import Callable, Sequence

from tracker.domain.eta.model import EtaModels
from tracker.eta.evaluation.baselines import Baselines
from tracker.eta.evaluation.recorded_trips import RecordedTrip
from tracker.eta.evaluation.replay import Replay
from tracker.eta.evaluation.score import Report, report_on
from tracker.routing.drive_analysis import Routes

Write = Callable[[str], None]
REPORT_EVERY = 20  # trips


async def evaluate(
    trips: Sequence[RecordedTrip], earlier: Sequence[RecordedTrip], router: Routes, write: Write
) -> Report:
    """Replay *earlier*, then *trips*, and return the report on *trips*.

    The forecasts learn from each trip after its end, as in the service. Without earlier trips, the run starts
    like a fresh installation, and the baselines have their prior constants.
    """
    learned, baselines = EtaModels(), Baselines()
    if earlier:
        training_moments = await Replay(router, learned, baselines).run(
            earlier, _progress("Learning from", len(earlier), write)
        )
        baselines.fit(
            *(
                [(each.forecasts[name].seconds, each.real) for each in training_moments]
                for name in ("router", "straight_line")
            )
        )
    moments = await Replay(router, learned, baselines).run(trips, _progress("Replaying", len(trips), write))
    return report_on(moments, len(trips))


def _progress(what: str, whole: int, write: Write) -> Callable[[int], None]:
    def report(done: int) -> None:
        if done % REPORT_EVERY == 0 or done == whole:
            write(f"{what} {whole} trips: {done} done")

    return report
