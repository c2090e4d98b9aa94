"""Words of addresses: what makes no difference, house numbers, typing errors."""

from random import Random

import pytest

from tracker.map.geocoder.finding.query import number_labels, parse_query
from tracker.map.geocoder.text.fuzzy import Errors, grams, rarest
from tracker.map.geocoder.text.house_numbers import between, parse
from tracker.map.geocoder.text.words import fold, key, spellings, words

SAME = [
    ("West 13th Street", "W. 13TH ST"),
    ("Boulevard de Sébastopol", "bd de Sebastopol"),
    ("Rue de l’Opéra", "r. de l'Opera"),
    ("Calle Mayor", "C/ Mayor"),
    ("Berliner Straße", "Berliner Str."),
    ("O'Connell Street", "OConnell St"),
    ("улица Ленина", "ул. Ленина"),
    ("شارع المَلِك فهد", "شارع الملك فهد"),
    ("丸の内一丁目", "丸の内1丁目"),
    ("İstiklal Caddesi", "istiklal cad."),
    ("Fifth Avenue", "5th Ave"),
    ("Ｍａｉｎ Ｓｔｒｅｅｔ", "Main St"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    """Case, accents, full-width letters, abbreviations and vowel signs make no difference."""
    assert key(one) == key(other)


def test_names_stay_different() -> None:
    """What is not an abbreviation is not lost, nor the voiced marks of Japanese and the vowels of Hindi."""
    assert key("Main Street") != key("Main Avenue")
    assert fold("が") != fold("か")
    assert len(words("महात्मा गांधी मार्ग")) == 3
    assert ("muehlenstrasse",) in spellings("Mühlenstraße")
    assert ("berlinerstrasse",) in spellings("Berliner Straße")


@pytest.mark.parametrize(
    ("tag", "labels"),
    [
        ("12", ["12"]),
        ("12 A", ["12a"]),
        ("12;14", ["12", "14"]),
        ("13 A, 5. krs", ["13a"]),
        ("12-16", ["12-16", "14", "16"]),
        ("12/3", ["12/3"]),
        ("A 12", ["a12"]),
        ("none", []),
        ("1" * 9, []),
    ],
)
def test_house_numbers_of_the_map(tag: str, labels: list[str]) -> None:
    """One object may have several, and a range those between its ends."""
    assert [each.label for each in parse(tag)] == labels


def test_numbers_along_a_line() -> None:
    """Of one side, of both, in either direction, with letters; nonsense gives none."""
    assert between("even", "2", "8") == ["4", "6"]
    assert between("odd", "9", "3") == ["7", "5"]
    assert between("all", "1", "4") == ["2", "3"]
    assert between("alphabetic", "12a", "12d") == ["12b", "12c"]
    assert between("even", "x", "8") == between("even", "2", "90000") == between("?", "2", "8") == []


def test_house_numbers_of_a_query() -> None:
    """The longest reading comes first."""

    def labels(text: str) -> list[str]:
        tokens = parse_query(text, typing=False)
        start = next(n for n, token in enumerate(tokens) if token.is_number)
        return [label for label, _ in number_labels(tokens, start)]

    assert labels("Main St 12 A 5") == ["12a", "12"]
    assert labels("Main St 12-14") == ["12-14", "12"]
    assert labels("Main St 12/3") == ["12/3", "12"]
    assert labels("5 bis Rue X") == ["5bis", "5"]
    assert labels("丸の内1-9-1") == ["1-9-1", "1-9", "1"]


def slow_distance(one: str, other: str) -> int:
    """Return the distance with swaps of neighbours, from the table of the textbook."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        row = [i]
        for j, against in enumerate(other, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def test_errors_are_those_of_the_textbook() -> None:
    """The bit vectors count what the table counts, and a similar word shares one of the rare groups."""
    random = Random(1)

    def word() -> str:
        return "".join(random.choices("abcd", k=random.randint(1, 12)))

    for _ in range(2_000):
        one, other = word(), word()
        errors = slow_distance(one, other)
        assert Errors(one).against(other)[0] == errors
        if errors <= 2 and len(one) >= 8:
            assert set(rarest(one, {}, 2)) & grams(other) or len(grams(one)) <= 9
