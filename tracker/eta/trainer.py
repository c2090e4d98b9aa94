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

WAITING: Final = 2_000  # samples not stored yet, about 20 MB
AT_ONCE: Final = 100  # samples per commit: less than 0.1 s of training
LEARN_EVERY: Final = 5.0  # seconds; also the greatest lag of a node that did not train itself
END_WITHIN: Final = 2.0  # seconds for the last write at exit

# Created before threads exist: see routing.engine.
_read_knowledge: Final = msgspec.json.Decoder(EtaModel).decode

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
        self._database, self._metrics, self._now, self._judged = database, metrics, now, judged
        self._stored: dict[Vehicle, StoredKnowledge] = {}
        self._waiting: deque[ArrivalSample] = deque(maxlen=WAITING)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Load the stored models and start the task. Raises StorageUnavailable."""
        await self.catch_up()
        self._task = asyncio.create_task(self._learn_forever())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the task and store the last samples, which the next trainer learns from."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with suppress(StorageUnavailable, TimeoutError):
            async with asyncio.timeout(END_WITHIN):
                await self._hand_in()

    def teach(self, lesson: ArrivalSample) -> None:
        """Queue a sample without blocking. While the database is down, the oldest samples are dropped."""
        if len(self._waiting) == WAITING:
            self._metrics.lessons.labels("dropped").inc()
        self._waiting.append(lesson)

    async def learn(self) -> bool:
        """Train on stored samples of all nodes; return whether more may wait. Raises StorageUnavailable."""
        await self._hand_in()
        async with self._database.transaction() as connection:
            lessons = await take_lessons(connection, AT_ONCE)
            if not lessons:
                return False
            newest = self._stored | _by_vehicle(await select_knowledge(connection, self._versions))
            learned, stored = await asyncio.to_thread(_learned, newest, lessons)
            for each in stored.values():
                await upsert_knowledge(connection, each, self._now())
        self._metrics.lessons.labels("learned").inc(len(lessons))
        self._stored = newest | stored
        self._use({**self.learned.vehicles, **learned})
        return len(lessons) == AT_ONCE

    async def catch_up(self) -> None:
        """Load the models that another node has stored since. Raises StorageUnavailable."""
        newer = await select_knowledge(self._database, self._versions)
        if newer:
            self._stored |= _by_vehicle(newer)
            read = await asyncio.to_thread(lambda: {each.vehicle: _knowledge(each) for each in newer})
            self._use({**self.learned.vehicles, **read})

    @property
    def _versions(self) -> dict[Vehicle, int]:
        return {vehicle: stored.version for vehicle, stored in self._stored.items()}

    def _use(self, vehicles: dict[Vehicle, EtaModel]) -> None:
        arrivals = sum(stored.arrivals for stored in self._stored.values())
        self.learned = EtaModels(arrivals, vehicles)
        self._metrics.arrivals_learned.set(arrivals)
        self.on_change(self.learned)

    async def _hand_in(self) -> None:
        batch = list(self._waiting)
        if not batch:
            return
        self._waiting.clear()
        try:
            if self._judged is not None:
                batch = [await self._judged(lesson) for lesson in batch]
            await insert_lessons(self._database, batch)
        except (StorageUnavailable, asyncio.CancelledError):
            room = WAITING - len(self._waiting)
            self._waiting.extendleft(reversed(batch[-room:] if room else []))
            raise

    async def _learn_forever(self) -> None:
        while True:
            await asyncio.sleep(LEARN_EVERY)
            try:
                while await self.learn():
                    pass
                await self.catch_up()
            except StorageUnavailable:
                log.warning("training_delayed", lessons=len(self._waiting))
            except Exception as error:  # the models in use stay
                log.error("training_failed", exc_info=error)


def _by_vehicle(stored: Iterable[StoredKnowledge]) -> dict[Vehicle, StoredKnowledge]:
    return {each.vehicle: each for each in stored}


def _learned(
    before: dict[Vehicle, StoredKnowledge], lessons: Sequence[ArrivalSample]
) -> tuple[dict[Vehicle, EtaModel], dict[Vehicle, StoredKnowledge]]:
    """Return the trained models of the samples' vehicles, and their stored form.

    Runs in a thread, on copies of the models.
    """
    vehicles: list[Vehicle] = list(dict.fromkeys(lesson.vehicle for lesson in lessons))
    known = {vehicle: _knowledge(before.get(vehicle)) for vehicle in vehicles}
    stored: dict[Vehicle, StoredKnowledge] = {}
    for vehicle, knowledge in known.items():
        mine = [lesson for lesson in lessons if lesson.vehicle == vehicle]
        for lesson in mine:
            _learn_one(knowledge, lesson)
        old = before.get(vehicle)
        version, arrivals = (0, 0) if old is None else (old.version, old.arrivals)
        state = msgspec.json.encode(knowledge)
        stored[vehicle] = StoredKnowledge(vehicle, version + 1, arrivals + len(mine), state)
    return known, stored


def _learn_one(knowledge: EtaModel, lesson: ArrivalSample) -> None:
    """Train with one sample; skip it if its values are invalid."""
    try:
        knowledge.learn(lesson)
    except (ArithmeticError, LookupError, ValueError) as error:
        log.warning("arrival_sample_skipped", why=type(error).__name__)


def _knowledge(stored: StoredKnowledge | None) -> EtaModel:
    """Decode a new model. Start a fresh one if another version stored it unreadably."""
    if stored is None:
        return EtaModel()
    try:
        return _read_knowledge(stored.state)
    except msgspec.DecodeError as error:
        log.warning("eta_model_reset", vehicle=stored.vehicle, why=type(error).__name__)
        return EtaModel()
