"""Model trainer: train the ETA models that all nodes share with arrival samples, off the hot path.

A sample is stored first. One node at a time takes the stored samples, trains copies of the stored models, and
stores the models in the same commit. So each sample trains the models exactly once, whatever the number of
nodes and whenever one crashes. The other nodes load models newer than theirs. The models in use are immutable
and replaced as a whole.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, Self

import msgspec
import structlog

from tracker.database import Database
from tracker.database.eta_model import (
    StoredKnowledge,
    insert_lessons,
    select_knowledge,
    take_lessons,
    upsert_knowledge,
)
from tracker.domain.eta.model import ArrivalSample, EtaModel, EtaModels
from tracker.domain.order import Vehicle
from tracker.errors import StorageUnavailable
from tracker.metrics import Metrics

QUEUE_SIZE: Final = 2_000  # samples not stored yet, about 20 MB
SAMPLES_PER_COMMIT: Final = 100  # samples per commit: less than 0.1 s of training
TRAIN_EVERY: Final = 5.0  # seconds; also the greatest lag of a node that did not train itself
END_WITHIN: Final = 2.0  # seconds for the last write at exit

# Created before threads exist: see routing.engine.
_decode: Final = msgspec.json.Decoder(EtaModel).decode

log = structlog.get_logger()


class ModelTrainer:
    """Owns the training task. `learned` is read-only for callers."""

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        now: Callable[[], datetime],
        judged: Callable[[ArrivalSample], Awaitable[ArrivalSample]] | None = None,
    ) -> None:
        self.learned = EtaModels()
        self.on_change: Callable[[EtaModels], None] = lambda _: None
        self._database, self._metrics, self._now, self._analyse = database, metrics, now, judged
        self._stored: dict[Vehicle, StoredKnowledge] = {}
        self._queue: deque[ArrivalSample] = deque(maxlen=QUEUE_SIZE)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Load the stored models and start the task. Raises StorageUnavailable."""
        await self.catch_up()
        self._task = asyncio.create_task(self._train_forever())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the task and store the last samples, which the next trainer learns from."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with suppress(StorageUnavailable, TimeoutError):
            async with asyncio.timeout(END_WITHIN):
                await self._store_samples()

    def add_sample(self, sample: ArrivalSample) -> None:
        """Queue a sample without blocking. While the database is down, the oldest samples are dropped."""
        if len(self._queue) == QUEUE_SIZE:
            self._metrics.lessons.labels("dropped").inc()
        self._queue.append(sample)

    async def train(self) -> bool:
        """Train on stored samples of all nodes; return whether more may wait. Raises StorageUnavailable."""
        await self._store_samples()
        async with self._database.transaction() as connection:
            samples = await take_lessons(connection, SAMPLES_PER_COMMIT)
            if not samples:
                return False
            newest = self._stored | _by_vehicle(await select_knowledge(connection, self._versions))
            learned, stored = await asyncio.to_thread(_train, newest, samples)
            for each in stored.values():
                await upsert_knowledge(connection, each, self._now())
        self._metrics.lessons.labels("learned").inc(len(samples))
        self._stored = newest | stored
        self._replace_models({**self.learned.vehicles, **learned})
        return len(samples) == SAMPLES_PER_COMMIT

    async def catch_up(self) -> None:
        """Load the models that another node has stored since. Raises StorageUnavailable."""
        newer = await select_knowledge(self._database, self._versions)
        if newer:
            self._stored |= _by_vehicle(newer)
            read = await asyncio.to_thread(lambda: {each.vehicle: _decode_model(each) for each in newer})
            self._replace_models({**self.learned.vehicles, **read})

    @property
    def _versions(self) -> dict[Vehicle, int]:
        return {vehicle: stored.version for vehicle, stored in self._stored.items()}

    def _replace_models(self, vehicles: dict[Vehicle, EtaModel]) -> None:
        arrivals = sum(stored.arrivals for stored in self._stored.values())
        self.learned = EtaModels(arrivals, vehicles)
        self._metrics.arrivals_learned.set(arrivals)
        self.on_change(self.learned)

    async def _store_samples(self) -> None:
        batch = list(self._queue)
        if not batch:
            return
        self._queue.clear()
        try:
            if self._analyse is not None:
                batch = [await self._analyse(sample) for sample in batch]
            await insert_lessons(self._database, batch)
        except (StorageUnavailable, asyncio.CancelledError):
            free = QUEUE_SIZE - len(self._queue)
            self._queue.extendleft(reversed(batch[-free:] if free else []))
            raise

    async def _train_forever(self) -> None:
        while True:
            await asyncio.sleep(TRAIN_EVERY)
            try:
                while await self.train():
                    pass
                await self.catch_up()
            except StorageUnavailable:
                log.warning("training_delayed", lessons=len(self._queue))
            except Exception as error:  # the models in use stay
                log.error("training_failed", exc_info=error)


def _by_vehicle(stored: Iterable[StoredKnowledge]) -> dict[Vehicle, StoredKnowledge]:
    return {each.vehicle: each for each in stored}


def _train(
    before: dict[Vehicle, StoredKnowledge], samples: Sequence[ArrivalSample]
) -> tuple[dict[Vehicle, EtaModel], dict[Vehicle, StoredKnowledge]]:
    """Return the trained models of the samples' vehicles, and their stored form.

    Runs in a thread, on copies of the models.
    """
    vehicles: list[Vehicle] = list(dict.fromkeys(sample.vehicle for sample in samples))
    models = {vehicle: _decode_model(before.get(vehicle)) for vehicle in vehicles}
    stored: dict[Vehicle, StoredKnowledge] = {}
    for vehicle, model in models.items():
        own_samples = [sample for sample in samples if sample.vehicle == vehicle]
        for sample in own_samples:
            _train_one(model, sample)
        old = before.get(vehicle)
        version, arrivals = (0, 0) if old is None else (old.version, old.arrivals)
        state = msgspec.json.encode(model)
        stored[vehicle] = StoredKnowledge(vehicle, version + 1, arrivals + len(own_samples), state)
    return models, stored


def _train_one(model: EtaModel, sample: ArrivalSample) -> None:
    """Train with one sample; skip it if its values are invalid."""
    try:
        model.learn(sample)
    except (ArithmeticError, LookupError, ValueError) as error:
        log.warning("arrival_sample_skipped", why=type(error).__name__)


def _decode_model(stored: StoredKnowledge | None) -> EtaModel:
    """Decode a new model. Start a fresh one if another version stored it unreadably."""
    if stored is None:
        return EtaModel()
    try:
        return _decode(stored.state)
    except msgspec.DecodeError as error:
        log.warning("eta_model_reset", vehicle=stored.vehicle, why=type(error).__name__)
        return EtaModel()
