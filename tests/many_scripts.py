"""A hand-made town whose streets, squares and shops are named in many scripts."""

from pathlib import Path
from typing import Final

import osmium
from osmium.osm.mutable import Node, Way

SOUTH, WEST = 60.1600, 24.9300  # degrees; beside the demo area, in open country
ROW: Final = 0.00035  # degrees of latitude: 39 m
ACROSS: Final = 0.0090  # degrees of longitude: 500 m
STREETS: Final = (
    "شارع الملك فيصل",
    "רחוב בן יהודה",
    "שדרות ההסתדרות 26",
    "خیابان ولیعصر",
    "شارع ٢٦ يوليو",
    "Οδός Ερμού",
    "Тверская улица",
    "南京东路",
    "表参道",
    "세종대로",
    "ถนนสุขุมวิท",
    "महात्मा गांधी मार्ग",
    "কাজী নজরুল ইসলাম এভিনিউ",
    "რუსთაველის გამზირი",
    "Đường Nguyễn Huệ",
)
DISTRICTS: Final = ("الحي القديم", "העיר העתיקה", "शिवाजी नगर", "銀座", "Πλάκα")
SHOPS: Final = ("مقهى الفيشاوي", "בית קפה", "ร้านกาแฟ", "咖啡馆", "कॉफ़ी हाउस", "Кафе Пушкинъ")


def write(path: Path) -> Path:
    """A grid: a street for each name from west to east, joined by three streets from south to north."""
    columns = [WEST + ACROSS * part for part in (0.0, 0.5, 1.0)]
    with osmium.SimpleWriter(str(path), overwrite=True) as writer:
        nodes = [
            (_id(row, column), lon, SOUTH + ROW * row)
            for row in range(len(STREETS))
            for column, lon in enumerate(columns)
        ]
        for number, lon, lat in nodes:
            writer.add_node(Node(id=number, location=(lon, lat)))
        named = [("place", "suburb", name) for name in DISTRICTS] + [
            ("amenity", "cafe", name) for name in SHOPS
        ]
        for n, (key, value, name) in enumerate(named):
            place = (WEST + ACROSS * (0.1 + 0.15 * (n % 6)), SOUTH + ROW * (1.5 + 1.2 * n))
            writer.add_node(Node(id=1000 + n, location=place, tags={key: value, "name": name}))
        for row, name in enumerate(STREETS):
            ids = [_id(row, column) for column in range(len(columns))]
            writer.add_way(Way(id=1 + row, nodes=ids, tags={"highway": "residential", "name": name}))
        for column in range(len(columns)):
            ids = [_id(row, column) for row in range(len(STREETS))]
            writer.add_way(Way(id=100 + column, nodes=ids, tags={"highway": "residential"}))
    return path


def middle() -> float:
    """A longitude between two of the streets from south to north."""
    return WEST + ACROSS * 0.4


def _id(row: int, column: int) -> int:
    return 1 + row * 10 + column
