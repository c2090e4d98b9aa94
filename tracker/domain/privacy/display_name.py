"""The part of a driver's name that customers read.

It is the display name if the driver has one, else the first name without titles. It has at most 20 grapheme
clusters and is never an e-mail address, a web address or a phone number.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Final

import regex

from tracker.domain.privacy.titles import (
    AFTER_A_TITLE,
    DOTTED_TITLES,
    SUFFIXES,
    TITLES,
    UPPER_SUFFIXES,
    key_of,
)

MAX_LENGTH: Final = 20  # grapheme clusters (UAX 29)
PHONE_DIGITS: Final = 7  # digits; words without letters that hold so many are a phone number

_GRAPHEME: Final = regex.compile(r"\X")
_ADDRESS: Final = regex.compile(r"\S[@\uFF20\uFE6B]\S|\S[(\[{]at[)\]}]\S|://|^www\.", regex.IGNORECASE)
_DIAL: Final = regex.compile(r"[\d+*#()/.\p{Pd}]*\d[\d+*#()/.\p{Pd}]*")
_COMMA: Final = regex.compile(r"[,\uFF0C\u3001\u060C\uFE50]")
_LEGIBLE: Final = regex.compile(r"[\p{L}\p{N}]")
_INITIALS: Final = regex.compile(r"(\p{L}\p{M}*\.)+")
_PIECE: Final = regex.compile(r"[^./]+[./]*|[./]+")  # `Prof.Dr.Anna` -> `Prof.`, `Dr.`, `Anna`

# Invisible letters: the Hangul fillers and the blank of Braille.
_BLANKS: Final = dict.fromkeys(map(ord, "\u115f\u1160\u3164\uffa0\u2800"), " ")
_JOINERS: Final = "\u200c\u200d"
_GRAPHEME_JOINER: Final = "\u034f"
_BLACK_FLAG: Final = "\U0001f3f4"
_TAGS: Final = range(0xE0020, 0xE0080)  # after a black flag they spell a region


@lru_cache(maxsize=4_096)
def name_for_customers(name: str, display_name: str | None = None) -> str:
    """Return the name that customers read; empty if none of it may be shown, such as an e-mail address."""
    if display_name is not None and (words := _without_contacts(_words(display_name))):
        return _shortened(" ".join(words))
    return _shortened(_first_name(_without_contacts(_words(name))))


def initial(name: str) -> str:
    """Return the first grapheme cluster, in upper case if that is a single one as well."""
    first = _GRAPHEME.match(name)
    if first is None:
        return ""
    upper = first[0].upper()
    return upper if len(_GRAPHEME.findall(upper)) == 1 else first[0]


def _shortened(text: str) -> str:
    return "".join(_GRAPHEME.findall(text)[:MAX_LENGTH]).rstrip()


# --- words


def _words(text: str) -> list[str]:
    """Split at white space of any kind, and remove invisible characters. The words are in NFC."""
    kept: list[str] = []
    for character in text.translate(_BLANKS):
        if character.isspace() or _is_visible(character, kept[-1] if kept else " "):
            kept.append(character)
    words = [
        _without_leading_marks(word.strip(_JOINERS))
        for word in unicodedata.normalize("NFC", "".join(kept)).split()
    ]
    return [word for word in words if word]


def _is_visible(character: str, before: str) -> bool:
    """Return whether a character is visible after *before*, or joins visible ones. Controls are not."""
    match unicodedata.category(character):
        case "Cf" if character in _JOINERS:  # joiners matter in emoji, and in Arabic and Indic scripts
            joined = unicodedata.category(before) in {"Mn", "Mc", "So", "Sk"}
            return joined or unicodedata.bidirectional(before) == "AL"
        case "Cf":
            return ord(character) in _TAGS and (before == _BLACK_FLAG or ord(before) in _TAGS)
        case "Cc" | "Cs" | "Co":
            return False
        case "Cn":  # a newer emoji, or a noncharacter
            return ord(character) & 0xFFFE != 0xFFFE
        case _:
            return character != _GRAPHEME_JOINER


def _without_leading_marks(word: str) -> str:
    """Remove combining marks at the start: they would combine with the text before the name."""
    while word and unicodedata.category(word[0]) in {"Mn", "Me"}:
        word = word[1:]
    return word


def _without_contacts(words: Sequence[str]) -> list[str]:
    """Remove e-mail addresses, web addresses and phone numbers, including those written with spaces."""
    others = [word for word in words if not _ADDRESS.search(word)]
    kept: list[str] = []
    for is_number, run in groupby(others, lambda word: _DIAL.fullmatch(word) is not None):
        some = list(run)
        if not is_number or sum(letter.isdigit() for word in some for letter in word) < PHONE_DIGITS:
            kept += some
    return kept


# --- the first name


def _first_name(words: Sequence[str]) -> str:
    bare = [_unwrapped(word) for word in _given_names(words)]
    legible = [word for word in bare if _LEGIBLE.search(word)]
    return next(iter(legible or words), "")


def _given_names(words: Sequence[str]) -> Sequence[str]:
    """Return the words from the first name on, such as `Anna` for `Schmidt, Dr. Anna`."""
    parts = [part.split() for part in _COMMA.split(" ".join(words))]
    others = [part for part in parts if part and not all(map(_is_suffix, part))]
    names = [rest for part in others if (rest := _without_titles(part))]
    return names[min(1, len(names) - 1)] if names else []


def _is_suffix(word: str) -> bool:
    """Return whether a word is a suffix such as `PhD`; a possible name only counts in capitals or dotted."""
    key = key_of(word)
    return key in SUFFIXES or (key in UPPER_SUFFIXES and (word.isupper() or "." in word))


def _without_titles(words: Sequence[str]) -> list[str]:
    """Remove the titles before a name; empty if nothing else is left."""
    titled = False
    for index, word in enumerate(words):
        if word.casefold() == "de" and key_of("".join(words[index + 1 : index + 2])) == "heer":
            continue
        rest = _after_titles(word, titled=titled, names_left=len(words) - index - 1)
        if rest:
            return [rest, *words[index + 1 :]]
        titled = True
    return []


def _after_titles(word: str, *, titled: bool, names_left: int) -> str:
    """Return the rest of a word after its titles: nothing for `Dr.med.`, `Anna` for `Dr.Anna`."""
    if key_of(word) in TITLES:  # `Ph.D.`
        return ""
    pieces = _PIECE.findall(word)
    for index, piece in enumerate(pieces):
        key = key_of(piece)
        # `M. Jean Dupont` has a title; `M. Dupont` may have an initial, and a last name is not shown
        dotted = "." in piece and key in DOTTED_TITLES and (names_left > 1 or not _is_latin_letter(key))
        if key and not (key in TITLES or dotted or (titled and key in AFTER_A_TITLE)):
            return "".join(pieces[index:])
        titled = True
    return ""


def _is_latin_letter(key: str) -> bool:
    return len(key) == 1 and key.isascii()


def _unwrapped(word: str) -> str:
    """Remove the brackets, quotes and full stops around a word; initials keep their full stops."""
    characters = _GRAPHEME.findall(word)
    while characters and _is_wrapping(characters[0]):
        del characters[0]
    while characters and _is_wrapping(characters[-1]) and not _INITIALS.fullmatch("".join(characters)):
        del characters[-1]
    return "".join(characters)


def _is_wrapping(character: str) -> bool:
    return (
        len(character) == 1
        and unicodedata.category(character)[0] in "PS"
        and (unicodedata.category(character) not in {"So", "Sk"})
    )
