"""Tokens: unguessable, stored as hashes, and links that need no storage."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.tokens import LinkTokens, hash_token, new_api_key, new_driver_token, new_id

SECRET = "a secret of the service, long enough"


def test_ids_are_url_safe_words_with_their_kind_in_front() -> None:
    """An id is its prefix and 24 letters or digits, so that it fits into URLs, subjects and file names."""
    assert re.fullmatch(r"ord_[a-z2-7]{24}", new_id("ord"))
    assert len({new_id("ord") for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize(("make", "prefix"), [(new_driver_token, "tdt_"), (new_api_key, "tak_")])
def test_tokens_carry_at_least_160_random_bits(make: object, prefix: str) -> None:
    """32 letters of base64 are 192 bits, and no two tokens are the same."""
    assert callable(make)
    tokens = {make() for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert all(re.fullmatch(prefix + r"[\w-]{32}", token) for token in tokens)


def test_only_the_hash_is_needed_to_know_a_token_again() -> None:
    """The same token hashes to the same 32 bytes, another one to others; no text makes it fail."""
    assert hash_token("tdt_a") == hash_token("tdt_a") != hash_token("tdt_b")
    assert len(hash_token("\ud800")) == 32


def test_a_link_token_gives_its_link_back_and_is_always_the_same() -> None:
    """A link can be shown again at any time, by any node that has the secret."""
    link_id = new_id("lnk")
    token = LinkTokens(SECRET).token(link_id)
    assert token == LinkTokens(SECRET).token(link_id)
    assert LinkTokens(SECRET).link_id(token) == link_id


def test_a_link_token_of_another_secret_is_unknown() -> None:
    """Whoever has the ids but not the secret opens nothing."""
    token = LinkTokens("another secret that is long enough").token(new_id("lnk"))
    assert LinkTokens(SECRET).link_id(token) is None


def test_only_ids_of_links_get_a_token() -> None:
    """An order's id can't be turned into a tracking link by mistake."""
    with pytest.raises(ValueError, match="not the id of a tracking link"):
        LinkTokens(SECRET).token(new_id("ord"))


@given(st.text())
def test_any_text_is_just_an_unknown_link(text: str) -> None:
    """Malformed tokens are unknown ones; nothing raises."""
    assert LinkTokens(SECRET).link_id(text) is None


@given(st.integers(0, 43), st.characters(codec="utf-8"))
def test_no_letter_of_a_link_token_can_be_changed_or_left_out(place: int, letter: str) -> None:
    """One changed, missing or added letter makes it unknown."""
    tokens = LinkTokens(SECRET)
    token = tokens.token("lnk_" + "a" * 24)
    changed = token[:place] + letter + token[place + 1 :]
    assert tokens.link_id(changed) == (None if changed != token else "lnk_" + "a" * 24)
    assert tokens.link_id(token[:place] + token[place + 1 :]) is None
    assert tokens.link_id(token + letter) is None
