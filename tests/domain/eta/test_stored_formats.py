"""What PostgreSQL holds as JSON: rows that an earlier release wrote decode, and encode to the same JSON."""

import json
from datetime import date
from pathlib import Path

import msgspec
import pytest

from tracker.domain.eta.model import ArrivalSample, EtaModel

STORED = Path(__file__).parents[2] / "samples" / "stored"
DROPPED = {"lately", "lately_at"}  # recent traffic, by arrivals


@pytest.mark.parametrize(
    ("name", "stored_type"), [("eta_model", EtaModel), ("arrival_sample", ArrivalSample)]
)
def test_a_stored_value_decodes_and_encodes_to_the_same_json(name: str, stored_type: type[object]) -> None:
    """Except for fields that a later release dropped: they are left out without an error."""
    stored = (STORED / f"{name}.json").read_bytes()
    again = msgspec.json.encode(msgspec.json.decode(stored, type=stored_type))
    kept = {field: value for field, value in json.loads(stored).items() if field not in DROPPED}
    assert json.loads(again) == kept


def test_a_stored_model_holds_what_was_learned() -> None:
    """A renamed field would silently start cold: unknown names are ignored, missing ones have defaults."""
    model = msgspec.json.decode((STORED / "eta_model.json").read_bytes(), type=EtaModel)
    assert model.whole.observed == pytest.approx(109.0)
    assert model.edges["1001.2"].observed == pytest.approx(29.0)
    assert (model.dwell.expected, model.service.expected) == pytest.approx((1.0, 60.0))
    assert model.navigator.real.observed > 0.0
    assert model.manners.evidence["short"].ways == pytest.approx(1.997)
    assert model.streets.known["1001.2"].onward == {"1002.1": date(2026, 11, 22).toordinal()}
    assert sum(len(bucket.residuals) for bucket in model.residuals.halting) > 0


def test_a_stored_arrival_sample_teaches() -> None:
    sample = msgspec.json.decode((STORED / "arrival_sample.json").read_bytes(), type=ArrivalSample)
    model = EtaModel()
    model.learn(sample)
    assert model.whole.observed == pytest.approx(54.5)
    assert set(model.streets.known) == {"1001.2", "1002.1"}
    assert model.service.observed == pytest.approx(74.5)
    assert model.manners.evidence["short"].ways == pytest.approx(1.0)
