"""ShownName: what a customer reads of a driver's name.

The display name if the driver has one, else the first name without titles. It has at most 20 characters as
people count them, cuts none in half, and is never an e-mail address, a web address or a phone number.
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

LONGEST: Final = 20  # grapheme clusters (UAX 29)
PHONE_DIGITS: Final = 7  # so many digits, and no letter among them, are a phone number

_GRAPHEME: Final = regex.compile(r"\X")
_ADDRESS: Final = regex.compile(r"\S[@\uFF20\uFE6B]\S|\S[(\[{]at[)\]}]\S|://|^www\.", regex.IGNORECASE)
_DIAL: Final = regex.compile(r"[\d+*#()/.\p{Pd}]*\d[\d+*#()/.\p{Pd}]*")
_COMMA: Final = regex.compile(r"[,\uFF0C\u3001\u060C\uFE50]")
_LEGIBLE: Final = regex.compile(r"[\p{L}\p{N}]")
_INITIALS: Final = regex.compile(r"(\p{L}\p{M}*\.)+")
_PIECE: Final = regex.compile(r"[^./]+[./]*|[./]+")  # `Prof.Dr.Anna` -> `Prof.`, `Dr.`, `Anna`

# Letters that show nothing: Hangul fillers, Braille's blank.
_BLANKS: Final = dict.fromkeys(map(ord, "\u115f\u1160\u3164\uffa0\u2800"), " ")
_JOINERS: Final = "\u200c\u200d"
_GRAPHEME_JOINER: Final = "\u034f"
_BLACK_FLAG: Final = "\U0001f3f4"
_TAGS: Final = range(0xE0020, 0xE0080)  # behind a black flag they spell a region


@lru_cache(maxsize=4_096)
def shown_name(name: str, display_name: str | None = None) -> str:
    """Return what customers read; empty where nothing of it may be shown, as of an e-mail address."""
    if display_name is not None and (given := _without_contacts(_words(display_name))):
        return _shortened(" ".join(given))
    return _shortened(_first_name(_without_contacts(_words(name))))


def initial(shown: str) -> str:
    """Return the first character as a person sees it, in upper case where that is one as well."""
    first = _GRAPHEME.match(shown)
    if first is None:
        return ""
    upper = first[0].upper()
    return upper if len(_GRAPHEME.findall(upper)) == 1 else first[0]


def _shortened(text: str) -> str:
    return "".join(_GRAPHEME.findall(text)[:LONGEST]).rstrip()


# --- what is written


def _words(text: str) -> list[str]:
    """Split at white space of any kind, without what cannot be seen; composed (NFC)."""
    kept: list[str] = []
    for character in text.translate(_BLANKS):
        if character.isspace() or _is_seen(character, kept[-1] if kept else " "):
            kept.append(character)
    words = [_begun(word.strip(_JOINERS)) for word in unicodedata.normalize("NFC", "".join(kept)).split()]
    return [word for word in words if word]


def _is_seen(character: str, before: str) -> bool:
    """Whether a character shows something there, or joins what does. Controls and directions don't."""
    match unicodedata.category(character):
        case "Cf" if character in _JOINERS:  # they matter in emoji, and in Arabic and Indic scripts
            joined = unicodedata.category(before) in {"Mn", "Mc", "So", "Sk"}
            return joined or unicodedata.bidirectional(before) == "AL"
        case "Cf":
            return ord(character) in _TAGS and (before == _BLACK_FLAG or ord(before) in _TAGS)
        case "Cc" | "Cs" | "Co":
            return False
        case "Cn":  # a newer emoji, or one of the code points that never are characters
            return ord(character) & 0xFFFE != 0xFFFE
        case _:
            return character != _GRAPHEME_JOINER


def _begun(word: str) -> str:
    """Without marks at the start: they would sit on what stands before the name."""
    while word and unicodedata.category(word[0]) in {"Mn", "Me"}:
        word = word[1:]
    return word


def _without_contacts(words: Sequence[str]) -> list[str]:
    """Without e-mail addresses, web addresses and phone numbers, also those written with spaces."""
    named = [word for word in words if not _ADDRESS.search(word)]
    kept: list[str] = []
    for is_number, run in groupby(named, lambda word: _DIAL.fullmatch(word) is not None):
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
    """Return the words from the first name on: of `Schmidt, Dr. Anna` it is `Anna`."""
    parts = [part.split() for part in _COMMA.split(" ".join(words))]
    named = [part for part in parts if part and not all(map(_is_suffix, part))]
    told = [rest for part in named if (rest := _without_titles(part))]
    return told[min(1, len(told) - 1)] if told else []


def _is_suffix(word: str) -> bool:
    """`PhD`, `Jr.`; those that may be somebody's name only in capitals, or with full stops."""
    key = key_of(word)
    return key in SUFFIXES or (key in UPPER_SUFFIXES and (word.isupper() or "." in word))


def _without_titles(words: Sequence[str]) -> list[str]:
    """Without the titles before a name; empty where there is nothing else."""
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
    """Return what is left of a word behind the titles in it: nothing of `Dr.med.`, `Anna` of `Dr.Anna`."""
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
    """Without the brackets, quotes and full stops around it; initials keep theirs."""
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
