"""Palette: every colour of the map, for the light and the dark theme."""

from typing import Final, Literal, NamedTuple

Theme = Literal["light", "dark"]


class Palette(NamedTuple):
    """Every colour of the map."""

    earth: str
    paved: str
    green: str
    wood: str
    campus: str
    pitch: str
    water: str
    building: str
    building_edge: str
    road: str
    road_edge: str
    path: str
    rail: str
    boundary: str
    street_name: str
    place_name: str
    poi_name: str
    water_name: str
    halo: str


PALETTES: Final[dict[Theme, Palette]] = {
    "light": Palette(
        earth="#f1f0eb",
        paved="#ebe7e0",
        green="#d9ebd0",
        wood="#cde4c3",
        campus="#edeae2",
        pitch="#cfe6cf",
        water="#b9d9ee",
        building="#e3dfd7",
        building_edge="#d3ccbf",
        road="#ffffff",
        road_edge="#dcd7cd",
        path="#cfc8bb",
        rail="#c9c4ba",
        boundary="#b9b0c4",
        street_name="#4e545f",
        place_name="#6a7079",
        poi_name="#6b7079",
        water_name="#4a7ea3",
        halo="#ffffff",
    ),
    "dark": Palette(
        earth="#1a1d23",
        paved="#20242b",
        green="#1d2b23",
        wood="#1b2d22",
        campus="#1e2229",
        pitch="#1f3127",
        water="#12283a",
        building="#252a32",
        building_edge="#323842",
        road="#383f4b",
        road_edge="#15181d",
        path="#3c4350",
        rail="#3f4652",
        boundary="#55506a",
        street_name="#b9c0cc",
        place_name="#8d95a3",
        poi_name="#8b93a1",
        water_name="#6fa3c7",
        halo="#15181d",
    ),
}
