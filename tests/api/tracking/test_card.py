"""The card that the server writes: its words, and in which language."""

import json
from typing import Any

import msgspec
import pytest

from tracker.api.tracking.card import describe
from tracker.api.tracking.translations import choose_words, messages_of
from tracker.domain.branding.brand import LANGUAGES
from tracker.messages import Snapshot
from tracker.system.package_files import folder

SAMPLES = json.loads((folder("web").parent / "tests/samples/cards.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "sample", SAMPLES["cards"], ids=lambda sample: f"{sample['name']}, {sample.get('locale', 'en-GB')}"
)
def test_the_server_writes_the_same_card_as_the_browser(sample: Any) -> None:
    """Both are held to the same samples, so that the words do not jump when the script begins."""
    base, change = SAMPLES["base"], sample["change"]
    snapshot = base | change
    for name in ("order", "eta"):
        if change.get(name):
            snapshot[name] = base[name] | change[name]
    words = choose_words(sample.get("locale", "en-GB"), None, [])
    card = msgspec.to_builtins(describe(msgspec.convert(snapshot, Snapshot), words))
    card["steps"] = [round(step, 2) for step in card["steps"]]
    assert card | {"progress": round(card["progress"], 2)} == sample["card"]


@pytest.mark.parametrize(
    ("asked", "of_the_order", "accepted", "chosen"),
    [
        ("fr", "de", ["fi-FI"], "fr"),
        ("pt", "de", ["fi-FI"], "de"),
        (None, "de", ["fi-FI"], "de"),
        (None, "de", ["de-AT", "en"], "de-AT"),
        ("en-GB", "en-US", ["en-US"], "en-GB"),
        (None, None, ["pt-BR", "sv-FI", "en"], "sv-FI"),
        (None, None, ["en-US", "en"], "en-US"),
        (None, None, ["zh-Hant-TW"], "en-GB"),
        (None, None, [], "en-GB"),
        ("de_DE", None, [], "de-DE"),
        ("en-US@posix", None, [], "en-US"),
        ("en-XX", None, [], "en"),
        ("english", None, ["*"], "en-GB"),
        ("ar-EG", None, [], "ar-EG-u-nu-latn"),
        ("../../etc", "\x00", ["", "-"], "en-GB"),
    ],
)
def test_the_language_is_asked_for_then_the_order_s_then_the_browser_s(
    asked: str | None, of_the_order: str | None, accepted: list[str], chosen: str
) -> None:
    """The first that we speak; the reader's region chooses the format of times and numbers."""
    assert choose_words(asked, of_the_order, accepted).tag == chosen


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_plural_form_of_the_server_s_language_has_its_text(language: str) -> None:
    """CLDR's rules, which Babel and browsers share, never ask for a form that is not there."""
    words = choose_words(language, None, [])
    forms = {words.locale.plural_form(count) for count in (*range(200), 1_000_000)}
    for name, entry in messages_of(language).items():
        assert isinstance(entry, str) or forms <= set(entry), name
