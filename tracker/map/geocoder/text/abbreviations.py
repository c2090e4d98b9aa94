"""Words that addresses spell in several ways: types of streets, directions, ordinal numbers. Pure."""

from collections.abc import Mapping
from typing import Final

# Each line: the short form that the index uses, then what people write for it. Folded, see `words.fold`.
_FORMS: Final = """
st street str strasse straat saint sankt sainte ste sint
av avenue ave aven avn avenida avda avgda avinguda
bd boulevard blvd boul bld bvd bulevar bulevardi bulvar bulvari bul
rd road
dr drive doctor doktor docteur
ln lane
ct court crt
pl place plaza plz platz plac plads plass plats plein pza piazza pzza praca pca placa
sq square
ter terrace terr
cres crescent cr
hwy highway
pkwy parkway pky
expy expressway
fwy freeway
tpke turnpike
cir circle
aly alley
trl trail
gro grove gr
cl close calle carrer c cll
r rue rua
ch chemin chem
rte route
imp impasse
allee alle all allea
q quai
pass passage pas psge
fg faubourg fbg
crs cours corso cso
vle viale
ctra carretera crta
pso paseo passeig pg
trav travesia travessera trva
urb urbanizacion
ul ulica ulitsa ulice улица ул вулиця вул
пр проспект просп прт пркт
пер переулок
пл площадь площа
бул бульвар бр
наб набережная
ш шоссе
al aleja aleje
os osiedle
nam namesti
cd caddesi cad cadde
sk sokak sok sokagi
mh mahallesi mah
n north nord norte norra
s south sud sur sul
e east est este
w west ouest oeste
ne northeast
nw northwest
se southeast
sw southwest
mt mount
ft fort
hts heights
gen general
prof professor professeur
pres president
col colonel
ش شارع
ט רחוב רח
שד שדרות
λ λεωφοροσ λεωφ
1st first
2nd second
3rd third
4th fourth
5th fifth
6th sixth
7th seventh
8th eighth
9th ninth
10th tenth
11th eleventh
12th twelfth
"""
_ORDINALS: Final = 12  # lines at the end that are ordinal numbers

_LINES: Final = [line.split() for line in _FORMS.strip().splitlines()]
SHORT: Final[Mapping[str, str]] = {word: line[0] for line in _LINES for word in line}
"""The short form of each word."""

_FILLERS: Final = """
de la le les du des del di da do dos das of the and van der den het von und am an im auf en el los las
y et och ja i
"""
_UNITS: Final = """
apt apartment flat floor fl unit suite ste room rm krs kerros etage etg eg og ug stock whg wohnung lgh
lagenhet porras as asunto trappa tr vaning piso puerta esc escalera etaj ap app appt appartement bat
batiment hinterhaus vorderhaus interno int scala piano bus huis verdieping co level lot building bldg
entrance кв квартира подъезд этаж корпус стр no nr num
"""

WEAK: Final = frozenset(line[0] for line in _LINES[:-_ORDINALS]) | frozenset(_FILLERS.split())
"""Short forms and words that hardly tell one name from another."""

UNIT_WORDS: Final = frozenset(_UNITS.split())
"""Words before or after what follows a house number: a flat, a floor, a staircase."""

_LAST_WORDS: Final = frozenset({"street", "road", "avenue", "lane", "drive", "court", "place", "square"})
_FIRST_WORDS: Final = frozenset(
    {"rue", "avenue", "boulevard", "place", "quai", "impasse", "chemin", "allee", "cours", "passage"}
)


def is_number_first(words: tuple[str, ...]) -> bool:
    """Return whether a street's name in folded words looks English or French: `12 Main Street`, `5 Rue X`."""
    return len(words) > 1 and (words[-1] in _LAST_WORDS or words[0] in _FIRST_WORDS)


def types_with_prefix(prefix: str) -> set[str]:
    """Return the short forms of the words that begin with *prefix*."""
    return {short for word, short in SHORT.items() if word.startswith(prefix)}
