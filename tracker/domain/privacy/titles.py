"""Titles and suffixes of names, in the languages of the customer page and others.

The lists omit words that are also first names somewhere: Don, Di, Pan, Major, Sri, Tuan.
"""

from typing import Final

import regex

_NO_LETTER: Final = regex.compile(r"[^\p{L}\p{M}\p{N}]+")


def key_of(word: str) -> str:
    """Return the lookup key of a word: its letters and digits, case-folded."""
    return _NO_LETTER.sub("", word.casefold())


def _keys(text: str) -> frozenset[str]:
    return frozenset(map(key_of, text.split()))


TITLES: Final = _keys(
    # English
    "mr mrs ms miss mx mister missus dr doctor prof professor sir madam madame maam dame lord lady rev "
    "reverend capt captain cpt sgt engr esq phd dphil msc bsc mba "
    # German, Dutch, Scandinavian, Finnish
    "herr herrn hr hrn frau fräulein frl doktor dipl dipling univprof privdoz dring "
    "dhr heer meneer mw mevr mevrouw drs ir jhr fru frk frøken fröken herra rouva neiti tohtori professori "
    # French, Italian, Spanish, Portuguese
    "monsieur mademoiselle mme mmes mlle mgr docteur professeur signor signore signora signorina dott dottor "
    "dottore dottoressa avv sr sra srta señor señora señorita dra profa profesor profesora dña doña "
    "doutor doutora senhor senhora senhorita "
    # Polish, Czech, Hungarian, Romanian, Turkish
    "pani inż paní mudr judr phdr rndr paeddr úr domnul doamna sayın "
    # Russian, Ukrainian, Bulgarian, Greek
    "г-н г-жа господин госпожа д-р доктор проф профессор пан пані κος κα κύριος κυρία δρ "
    # Arabic, Persian, Hebrew
    "السيد السيدة الآنسة الدكتور الدكتورة دكتور دكتورة الأستاذ الأستاذة آقای מר גב׳ גברת ד״ר פרופ׳ "
    # South and South-East Asia
    "shri shree smt श्री श्रीमती डॉ कुमारी encik puan cik bapak ibu pak นาย นาง นางสาว"
)

# Titles only if a full stop follows; without one they may be names.
DOTTED_TITLES: Final = _keys(
    "fr br pr hon lt col ing eng mag pd univ bc doc dl dna kum sig arch arq abg geom lic m d tri κ د م أ г"
)

# Titles only after another title: `Dr. med. dent. h. c.`
AFTER_A_TITLE: Final = _keys(
    "med medic dent vet phil rer nat jur iur pol oec techn theol hc h c mult habil hab ing ra ssa a in ª º"
)

SUFFIXES: Final = _keys("phd md jr jnr junior snr iii esq mba msc bsc cpa dphil llm llb dds")
UPPER_SUFFIXES: Final = _keys("ma ba pe rn jd ii iv sr senior dr prof")
