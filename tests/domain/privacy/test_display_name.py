"""The driver's name that customers read: names as people write them, and rules for any text."""

import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.privacy.display_name import MAX_LENGTH, initial, name_for_customers

FAMILY = "👨‍👩‍👧‍👦"
ENGLAND = "🏴󠁧󠁢󠁥󠁮󠁧󠁿"

NAMES = {
    # the first of several; a single one whole
    "Aino Korhonen": "Aino",
    "Aino": "Aino",
    "Jean-Luc Picard": "Jean-Luc",
    "O'Brien": "O'Brien",
    "Anna.Schmidt": "Anna.Schmidt",
    "J.R.R. Tolkien": "J.R.R.",
    "J. Edgar": "J.",
    "Anna (Nord)": "Anna",
    '"Speedy" Gonzales': "Speedy",
    "<Anna> Schmidt": "Anna",
    "山田太郎": "山田太郎",
    "山田　太郎": "山田",
    "김민수": "김민수",
    "علي حسن": "علي",
    "می\u200cخواهم رضا": "می\u200cخواهم",
    "क्षितिज शर्मा": "क्षितिज",
    "Driver 12": "Driver",
    "20045": "20045",
    "-": "-",
    "": "",
    " \t\u200b ": "",
    # the comma form
    "van der Berg, Pat": "Pat",
    "Schmidt, Anna": "Anna",
    "Schmidt,Anna": "Anna",
    "Schmidt, Dr. Anna Maria": "Anna",
    "Dr. Schmidt, Anna": "Anna",
    "Schmidt, Anna, Dr.": "Anna",
    "Schmidt, Prof. Dr.": "Schmidt",
    "Anna Schmidt, PhD": "Anna",
    "King, Jr., Martin Luther": "Martin",
    "Anna Schmidt, M.A.": "Anna",
    "Nguyen, Ba": "Ba",
    "Pat,": "Pat",
    ", Pat": "Pat",
    "山田，太郎": "太郎",
    # titles
    "Dr. Anna Schmidt": "Anna",
    "Prof. Dr. Anna Schmidt": "Anna",
    "DR ANNA SCHMIDT": "ANNA",
    "Prof.Dr.Anna Schmidt": "Anna",
    "Dr. med. dent. h. c. Anna Schmidt": "Anna",
    "Dr.med. Anna Schmidt": "Anna",
    "Univ.-Prof. Dipl.-Ing. Dr. techn. Hans Meier": "Hans",
    "Herr Hans Meier": "Hans",
    "Frau Dr. Müller-Lüdenscheid": "Müller-Lüdenscheid",
    "Fra\u0308ulein Anna": "Anna",
    "Mr. Pat Smith": "Pat",
    "Mrs Pat Smith": "Pat",
    "Ms. Pat Smith": "Pat",
    "Mr./Mrs. Pat Smith": "Pat",
    "Dra. María López": "María",
    "Sr. Don Quijote": "Don",
    "Don Draper": "Don",
    "Mme Marie Curie": "Marie",
    "M. Jean Dupont": "Jean",
    "M. Dupont": "M.",
    "Dott.ssa Giulia Rossi": "Giulia",
    "Sig.ra Giulia Rossi": "Giulia",
    "De heer Jan Jansen": "Jan",
    "Fru Åsa Öberg": "Åsa",
    "Rouva Aino Korhonen": "Aino",
    "г-н Иван Петров": "Иван",
    "الدكتور أحمد علي": "أحمد",
    "د. أحمد": "أحمد",
    "ד\"ר דנה כהן": "דנה",
    "श्री राम": "राम",
    "Ph.D. Anna Schmidt": "Anna",
    "Mag.a Dr.in Anna Schmidt": "Anna",
    "Arq. Ana López": "Ana",
    "St. John": "St",
    "Dr.": "Dr.",
    "Herr": "Herr",
    "Ing Wong": "Ing",
    # emoji and what belongs together
    "🚲": "🚲",
    FAMILY: FAMILY,
    f"{ENGLAND} Kim": "Kim",
    "👍🏽": "👍🏽",
    "🚲 Anna": "Anna",
    "e\u0301lodie Durand": "élodie",
    "\u0301Anna": "Anna",
    # more than 20 characters
    "Wolfeschlegelsteinhausenbergerdorff": "Wolfeschlegelsteinha",
    FAMILY * 25: FAMILY * 20,
    "क्षि" * 21: "क्षि" * 20,
    # what cannot be seen
    "\u202eAnna\u202c Schmidt": "Anna",
    "An\u200bn\u00ada\ufeff Schmidt": "Anna",
    "A\u200dn\u200cna Schmidt": "Anna",
    "An\x07na\x7f Schmidt": "Anna",
    "\u2066Anna\u2069\u00a0Schmidt": "Anna",
    "Anna\u3000Schmidt": "Anna",
    "Anna\u2028Schmidt": "Anna",
    "\u3164Anna\u3164Schmidt": "Anna",
    "\u3164": "",
    # addresses and numbers
    "anna.schmidt@example.com": "",
    "Anna <anna.schmidt@example.com>": "Anna",
    "anna@example.com Anna Schmidt": "Anna",
    "mailto:anna@example.com": "",
    "anna＠example.com": "",
    "anna(at)example.com": "",
    "an\u200bna\u200b@\u200bexample.com": "",
    "https://example.com/anna": "",
    "+358 40 123 4567": "",
    "0401234567": "",
    "+358 40 123 4567 Anna": "Anna",
    "٠٤٠١٢٣٤٥٦٧": "",
}  # fmt: skip


@pytest.mark.parametrize(("name", "shown"), NAMES.items(), ids=map(ascii, NAMES))
def test_the_first_name_is_shown(name: str, shown: str) -> None:
    assert name_for_customers(name) == unicodedata.normalize("NFC", shown)


@pytest.mark.parametrize(
    ("display", "shown"),
    [
        ("Speedy", "Speedy"),
        ("Dr. Anna S.", "Dr. Anna S."),
        ("  Anna \t Maria ", "Anna Maria"),
        ("Anna\u202e", "Anna"),
        ("Wolfgang Amadeus Mozart", "Wolfgang Amadeus Moz"),
        ("Wolfgang Amadeus123 Mozart", "Wolfgang Amadeus123"),
        (None, "Aino"),
        ("", "Aino"),
        ("\u200b", "Aino"),
        ("aino@example.com", "Aino"),
        ("+358 40 123 4567", "Aino"),
    ],
)
def test_a_display_name_is_shown_as_it_is(display: str | None, shown: str) -> None:
    """At most 20 characters; an invisible one or an address counts as absent."""
    assert name_for_customers("Aino Korhonen", display) == shown


@pytest.mark.parametrize(
    ("shown", "first"),
    [
        *(("anna", "A"), ("ßeta", "ß"), ("", ""), ("éa", "É"), ("🚲", "🚲"), (FAMILY, FAMILY)),
        *(
            (ENGLAND, ENGLAND),
            ("क्षितिज", "क्षि"),
            ("山田", "山"),
            ("👍🏽", "👍🏽"),
            ("e\u0323\u0301a", "E\u0323\u0301"),
        ),
    ],
)
def test_an_initial_is_one_character(shown: str, first: str) -> None:
    assert initial(shown) == first


@given(st.text(max_size=200), st.none() | st.text(max_size=60))
def test_any_text_is_safe_to_show(name: str, display: str | None) -> None:
    """At most 20 graphemes, trimmed, visible, and idempotent."""
    shown = name_for_customers(name, display)
    assert len(regex.findall(r"\X", shown)) <= MAX_LENGTH
    assert shown == shown.strip()
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cs", "Co", "Zl", "Zp"}
    assert not set("\u200b\u200e\u200f\u202a\u202e\u2066\ufeff\u00ad") & set(shown)
    assert len(regex.findall(r"\X", initial(shown))) == (1 if shown else 0)


@given(st.emails())
def test_an_address_is_never_shown(address: str) -> None:
    """Neither the address nor a part of it, whatever stands beside it."""
    assert name_for_customers(address) == ""
    assert name_for_customers(f"{address} Aino Korhonen", address) == "Aino"
