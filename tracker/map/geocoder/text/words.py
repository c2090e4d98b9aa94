"""Words: the form in which names are compared. Case, accents and abbreviations make no difference. Pure.

fold("Unioninkatu 12 A")            "unioninkatu 12 a"
words("Rue de l'Opéra")             ("rue", "de", "l", "opera")
shorten(words("West 13th Street"))  ("w", "13th", "st")
"""

import re
from functools import lru_cache
from typing import Final
from unicodedata import category, normalize

from tracker.map.geocoder.text.abbreviations import SHORT

# Marks that writers leave out: accents, Hebrew and Arabic vowels, and the Arabic stroke that lengthens words.
_MARKS: Final = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0640\u200c-\u200f]")
_LETTERS: Final = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ł": "l", "ı": "i", "þ": "th", "ð": "d", "ħ": "h", "ς": "σ"}
    | {"أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ة": "ه", "ک": "ك", "ی": "ي"}
)
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_ELISION: Final = re.compile(r"(?<![^\W_])(d|l|qu|dell|all|nell|sull)['’`´ʼ](?=\w)")
_APOSTROPHE: Final = re.compile(r"['’`´ʼ]")
_ARABIC_ARTICLE: Final = re.compile(r"(?<![^\W_])ال(?=\w{3})")
_KANJI_DIGITS: Final = "〇一二三四五六七八九"
_KANJI_NUMBER: Final = re.compile(r"([一二三四五六七八九十]{1,3})(?=丁目|番|号|条|線)")
_BLOCK_WORD: Final = re.compile(r"(\d+)\s?(?:丁目|番地の|番地|番|号|の)")
_CJK_LETTERS: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々"
_CJK: Final = re.compile(f"[{_CJK_LETTERS}]+")
_TOKEN: Final = re.compile(rf"\d+[a-z]*|[{_CJK_LETTERS}]+|[^\W_{_CJK_LETTERS}]+")


def fold(text: str) -> str:
    """Return the text without case, accents and other signs that people leave out."""
    text = normalize("NFKC", text).casefold().translate(_LETTERS)
    if not text.isascii():
        text = normalize("NFC", _MARKS.sub("", normalize("NFD", text)))
        text = _ARABIC_ARTICLE.sub("", text)
        text = _BLOCK_WORD.sub(r"\1-", _KANJI_NUMBER.sub(lambda found: str(_kanji_number(found[1])), text))
    return _APOSTROPHE.sub("", _ELISION.sub(r"\1 ", text))


def _kanji_number(text: str) -> int:
    """Return the value of a number up to 99: 二十三 is 23."""
    tens, ten, ones = text.rpartition("十")
    value = _KANJI_DIGITS.index(ones) if ones else 0
    return value + 10 * (_KANJI_DIGITS.index(tens) if tens else 1) if ten else value


def split(folded: str) -> list[re.Match[str]]:
    """Return the words and numbers of a folded text, with their places."""
    return list(_TOKEN.finditer(folded if folded.isascii() else _joined_marks(folded)))


def _joined_marks(folded: str) -> str:
    """Replace marks inside words, as in Indic scripts, by letters, so that they don't end words."""
    if not any(category(each) in {"Mn", "Mc"} for each in folded):
        return folded
    return "".join(_as_letter(each) for each in folded)


def _as_letter(each: str) -> str:
    return chr(0x20000 + ord(each)) if category(each) in {"Mn", "Mc"} and ord(each) < 0x10000 else each


@lru_cache(maxsize=20_000)
def words(text: str) -> tuple[str, ...]:
    """Return the folded words of a name. Chinese and Japanese become overlapping pairs of characters."""
    return tuple(part for found in split(fold(text)) for part in pairs(found[0]))


def pairs(word: str) -> list[str]:
    """Return a Chinese or Japanese text as overlapping pairs of characters; another word as it is."""
    if len(word) > 2 and _CJK.fullmatch(word):
        return [word[n : n + 2] for n in range(len(word) - 1)]
    return [word]


def shorten(all_words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words with the short form of each that has one."""
    return tuple(SHORT.get(word, word) for word in all_words)


def spellings(name: str) -> list[tuple[str, ...]]:
    """Return the ways in which a name is found: its short words, umlauts as two letters, all in one word."""
    plain = words(name)
    found = [shorten(plain)]
    if (lower := name.casefold()) != (two := lower.translate(_UMLAUTS)):
        found.append(shorten(words(two)))
    if 2 <= len(plain) <= 4 and not _CJK.search(name):  # `Berliner Straße` as `Berlinerstr.`
        found.append(("".join(plain),))
    return [each for each in dict.fromkeys(found) if each]


def key(name: str) -> str:
    """Return the text by which names of one street are the same."""
    return " ".join(shorten(words(name)))
