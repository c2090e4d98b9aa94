"""Model trainer: train the ETA models that all nodes share with arrival samples, off the hot path.

A sample is stored first. One node at a time takes the stored samples, trains copies of the stored models, and
stores the models in the same commit. So each sample trains the models exactly once, whatever the number of
nodes and whenever one crashes. The other nodes load models newer than theirs. The models in use are immutable
and replaced as a whole.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, Self

import msgspec
import structlog

from tracker.database import Database
from tracker.database.eta.model import (
    StoredModel,
    insert_arrival_samples,
    select_models,
    take_arrival_samples,
    upsert_model,
)
from tracker.domain.eta.model import ArrivalSample, EtaModel, EtaModels
from tracker.domain.order import Vehicle
from tracker.metrics import Metrics
from tracker.write_behind import WriteBehind

QUEUE_SIZE: Final = 2_000  # samples not stored yet, about 20 MB
SAMPLES_PER_COMMIT: Final = 100  # samples per commit: less than 0.1 s of training
TRAIN_EVERY: Final = 5.0  # seconds; also the greatest lag of a node that did not train itself

# Created before threads exist: see routing.engine.
_decode: Final = msgspec.json.Decoder(EtaModel).decode

log = structlog.get_logger()


class ModelTrainer:
    """Stores samples and trains during `async with`. `learned` is read-only for callers."""

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        now: Callable[[], datetime],
        analyse: Callable[[ArrivalSample], Awaitable[ArrivalSample]] | None = None,
    ) -> None:
        self.learned = EtaModels()
        self.on_change: Callable[[EtaModels], None] = lambda _: None
        self._database, self._metrics, self._now, self._analyse = database, metrics, now, analyse
        self._stored: dict[Vehicle, StoredModel] = {}
        self._samples = WriteBehind(
            self._insert,
            then=self._train,
            size=QUEUE_SIZE,
            batch=SAMPLES_PER_COMMIT,
            every_s=TRAIN_EVERY,
            delayed="training_delayed",
            failed="training_failed",
            dropped=metrics.arrival_samples.labels("dropped").inc,
        )

    async def __aenter__(self) -> Self:
        """Load the stored models and start training. Raises StorageUnavailable."""
        await self._load_newer()
        await self._samples.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Store the last samples, which the next trainer learns from."""
        await self._samples.__aexit__(*error)

    def add_sample(self, sample: ArrivalSample) -> None:
        """Queue a sample without blocking. While the database is down, the oldest samples are dropped."""
        self._samples.add(sample)

    async def flush(self, wait_s: float) -> None:
        """Store the queued samples, train and load newer models now; wait at most *wait_s* for it."""
        await self._samples.flush(wait_s)

    @property
    def _versions(self) -> dict[Vehicle, int]:
        return {vehicle: stored.version for vehicle, stored in self._stored.items()}

    async def _insert(self, samples: Sequence[ArrivalSample]) -> None:
        if self._analyse is not None:
            samples = [await self._analyse(sample) for sample in samples]
        await insert_arrival_samples(self._database, samples)

    async def _train(self) -> None:
        """Train on stored samples of all nodes, then load the models that other nodes have stored."""
        async with self._database.transaction() as connection:
            samples = await take_arrival_samples(connection, SAMPLES_PER_COMMIT)
            if samples:
                newest = self._stored | _by_vehicle(await select_models(connection, self._versions))
                learned, stored = await asyncio.to_thread(_train_models, newest, samples)
                for each in stored.values():
                    await upsert_model(connection, each, self._now())
        if not samples:
            await self._load_newer()
            return
        self._metrics.arrival_samples.labels("learned").inc(len(samples))
        self._stored = newest | stored
        self._replace_models({**self.learned.vehicles, **learned})
        self._samples.wake()  # more may wait

    async def _load_newer(self) -> None:
        newer = await select_models(self._database, self._versions)
        if newer:
            self._stored |= _by_vehicle(newer)
            read = await asyncio.to_thread(lambda: {each.vehicle: _decode_model(each) for each in newer})
            self._replace_models({**self.learned.vehicles, **read})

    def _replace_models(self, vehicles: dict[Vehicle, EtaModel]) -> None:
        arrivals = sum(stored.arrivals for stored in self._stored.values())
        self.learned = EtaModels(arrivals, vehicles)
        self._metrics.arrivals_learned.set(arrivals)
        self.on_change(self.learned)


def _by_vehicle(stored: Iterable[StoredModel]) -> dict[Vehicle, StoredModel]:
    return {each.vehicle: each for each in stored}


def _train_models(
    before: dict[Vehicle, StoredModel], samples: Sequence[ArrivalSample]
) -> tuple[dict[Vehicle, EtaModel], dict[Vehicle, StoredModel]]:
    """Return the trained models of the samples' vehicles, and their stored form.

    Runs in a thread, on copies of the models.
    """
    vehicles: list[Vehicle] = list(dict.fromkeys(sample.vehicle for sample in samples))
    models = {vehicle: _decode_model(before.get(vehicle)) for vehicle in vehicles}
    stored: dict[Vehicle, StoredModel] = {}
    for vehicle, model in models.items():
        own_samples = [sample for sample in samples if sample.vehicle == vehicle]
        for sample in own_samples:
            try:
                model.learn(sample)
            except (ArithmeticError, LookupError, ValueError) as error:  # an invalid value
                log.warning("arrival_sample_skipped", why=type(error).__name__)
        old = before.get(vehicle)
        version, arrivals = (0, 0) if old is None else (old.version, old.arrivals)
        state = msgspec.json.encode(model)
        stored[vehicle] = StoredModel(vehicle, version + 1, arrivals + len(own_samples), state)
    return models, stored


def _decode_model(stored: StoredModel | None) -> EtaModel:
    """Decode a new model. Start a fresh one if another version stored it unreadably."""
    if stored is None:
        return EtaModel()
    try:
        return _decode(stored.state)
    except msgspec.DecodeError as error:
        log.warning("eta_model_reset", vehicle=stored.vehicle, why=type(error).__name__)
        return EtaModel()
