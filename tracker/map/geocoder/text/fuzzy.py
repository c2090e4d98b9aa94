"""Words with typing errors: how many, and the groups of letters by which they are found. Pure."""

from collections.abc import Mapping
from typing import Final

GRAM: Final = 3  # letters
_START: Final = "^"
_SHORT: Final = 8  # letters of a word that is also found by itself without one letter
_LACKING: Final = "-"  # begins the forms of a word without one letter
TWO_ERRORS: Final = 8  # letters of a word that may have two errors
SHORTEST: Final = 4  # letters; in a shorter word, one error makes another word


def errors_allowed(word: str) -> int:
    """Return how many errors a word may have: 0, 1 or 2 by its length. A number may have none."""
    if len(word) < SHORTEST or word[0].isdigit():
        return 0
    return 1 if len(word) < TWO_ERRORS else 2


def grams(word: str) -> set[str]:
    """Return the groups of three letters of a word, and of its begin with a mark before it."""
    marked = _START + word
    return {marked[n : n + GRAM] for n in range(max(1, len(marked) - GRAM + 1))}


def lacking(word: str) -> set[str]:
    """Return a short word, and it without each of its letters.

    Words with one error between them have one of these forms in common.
    """
    return {_LACKING + word} | {_LACKING + word[:n] + word[n + 1 :] for n in range(len(word))}


def keys(word: str) -> set[str]:
    """Return all by which a word of the index is found if a query has errors in it."""
    return grams(word) | lacking(word) if len(word) <= _SHORT else grams(word)


def rarest(word: str, counts: Mapping[str, int], errors: int) -> list[str]:
    """Return groups of which a word with at most *errors* errors has at least one: the rarest ones.

    An error changes at most three groups, a swap of two letters four. So more than those suffice. A short
    word has too few.
    """
    if errors == 1 and len(word) < TWO_ERRORS:
        return sorted(lacking(word))
    found = sorted(grams(word), key=lambda gram: counts.get(gram, 0))
    return found[: (GRAM + 1) * errors + 1]


class Errors:
    """Counts the errors of words against one word. A swap of two neighbours is one error.

    The bit vectors of Hyyrö (2003), "A bit-vector algorithm for computing Levenshtein and Damerau edit
    distances": 8 µs for ten letters, where a table takes 60.
    """

    def __init__(self, word: str) -> None:
        self._length = len(word)
        self._places = {letter: _bits(word, letter) for letter in set(word)}

    def against(self, other: str) -> tuple[int, int]:
        """Return the errors of *other*, and the least of one of its beginnings that is about as long."""
        length, full, high = self._length, (1 << self._length) - 1, 1 << (self._length - 1)
        more, less, same, last = full, 0, 0, 0
        errors = best = length
        for number, letter in enumerate(other, start=1):
            here = self._places.get(letter, 0)
            swapped = ((~same & here) << 1) & last
            same = (((here & more) + more) ^ more) | here | less | swapped
            up, down = less | (full & ~(same | more)), same & more
            errors += (up & high > 0) - (down & high > 0)
            up, down = (up << 1) | 1, down << 1
            more, less, last = (down | ~(same | up)) & full, up & same & full, here
            if abs(number - length) <= 1:
                best = min(best, errors)
        return errors, min(best, errors)


def _bits(word: str, letter: str) -> int:
    return sum(1 << n for n, each in enumerate(word) if each == letter)
