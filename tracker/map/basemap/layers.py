"""Layers: the layers of the map to which an OpenStreetMap object belongs, by its tags. Pure.

Layers, kinds and attributes have the names of the Protomaps basemap (version 4), so that one style fits both.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from tracker.map.labels import clean

Shape = Literal["point", "line", "area"]
Tags = Mapping[str, str]


class LayerRule(NamedTuple):
    """How to draw an object: the layer, its kind, the first zoom level, and more attributes."""

    layer: str
    kind: str
    min_zoom: int
    more: dict[str, str | int | float | bool]


def layer_rules(tags: Tags, shape: Shape) -> list[LayerRule]:
    """Return all rules for an object; a museum is both a building and a point of interest."""
    match shape:
        case "point":
            found = [_place(tags), _poi(tags), _house_number(tags)]
        case "line":
            found = [_road(tags), _rail(tags), _waterway(tags), _boundary(tags), _pier(tags)]
        case "area":
            found = [_building(tags), _ground(tags), _poi(tags), _house_number(tags)]
    return [rule for rule in found if rule is not None]


# --- roads: highway -> (kind, min_zoom)
ROADS: Final[Mapping[str, tuple[str, int]]] = {
    "motorway": ("highway", 8),
    "trunk": ("major_road", 8),
    "primary": ("major_road", 9),
    "secondary": ("major_road", 10),
    "tertiary": ("major_road", 11),
    "unclassified": ("minor_road", 12),
    "residential": ("minor_road", 12),
    "living_street": ("minor_road", 12),
    "road": ("minor_road", 12),
    "service": ("minor_road", 14),
    "busway": ("minor_road", 13),
    "pedestrian": ("path", 13),
    "track": ("path", 13),
    "cycleway": ("path", 14),
    "footway": ("path", 14),
    "path": ("path", 14),
    "steps": ("path", 14),
    "bridleway": ("path", 14),
}
RAILS: Final = {"rail": 11, "light_rail": 13, "subway": 13, "tram": 13, "narrow_gauge": 13, "funicular": 14}


def _road(tags: Tags) -> LayerRule | None:
    detail = tags.get("highway", "")
    known = ROADS.get(detail.removesuffix("_link"))
    if known is None or tags.get("area") == "yes":
        return None
    more: dict[str, str | int | float | bool] = {
        "kind_detail": detail.removesuffix("_link"),
        **_crossing(tags),
    }
    if detail.endswith("_link"):
        more["is_link"] = True
    if tags.get("oneway") == "yes":
        more["oneway"] = "yes"
    if "service" in tags and detail == "service":
        more["service"] = tags["service"]
    return LayerRule("roads", known[0], known[1], {**more, **_named(tags)})


def _rail(tags: Tags) -> LayerRule | None:
    detail = tags.get("railway", "")
    if detail not in RAILS or tags.get("tunnel") == "yes" or _number(tags.get("layer")) < 0:
        return None
    more: dict[str, str | int | float | bool] = {"kind_detail": detail, **_crossing(tags)}
    if "service" in tags:
        more["service"] = tags["service"]
    return LayerRule("roads", "rail", RAILS[detail] + ("service" in tags), more)


def _crossing(tags: Tags) -> dict[str, str | int | float | bool]:
    """Return the attributes of bridges and tunnels."""
    more: dict[str, str | int | float | bool] = {}
    if tags.get("bridge", "no") != "no":
        more["is_bridge"] = True
    if tags.get("tunnel", "no") != "no" or tags.get("indoor") == "yes":
        more["is_tunnel"] = True
    return more


# --- water
def _waterway(tags: Tags) -> LayerRule | None:
    kind = tags.get("waterway", "")
    if kind not in {"river", "stream", "canal", "drain", "ditch"} or tags.get("tunnel", "no") != "no":
        return None
    return LayerRule("water", kind, 11 if kind in {"river", "canal"} else 14, _named(tags))


# --- ground: (key, value) -> (layer, kind, min_zoom)
GROUND: Final[Mapping[str, Mapping[str, tuple[str, str, int]]]] = {
    "natural": {
        "water": ("water", "water", 11),
        "wood": ("landuse", "wood", 11),
        "scrub": ("landuse", "scrub", 13),
        "heath": ("landuse", "scrub", 13),
        "grassland": ("landuse", "grassland", 12),
        "wetland": ("landuse", "wetland", 12),
        "beach": ("landuse", "beach", 12),
        "sand": ("landuse", "sand", 12),
        "bare_rock": ("landuse", "bare_rock", 13),
        "glacier": ("landuse", "glacier", 11),
    },
    "landuse": {
        "basin": ("water", "basin", 13),
        "pond": ("water", "water", 13),
        "reservoir": ("water", "lake", 11),
        "grass": ("landuse", "grass", 13),
        "meadow": ("landuse", "meadow", 12),
        "village_green": ("landuse", "village_green", 13),
        "flowerbed": ("landuse", "grass", 15),
        "forest": ("landuse", "forest", 11),
        "farmland": ("landuse", "farmland", 11),
        "orchard": ("landuse", "orchard", 12),
        "allotments": ("landuse", "allotments", 12),
        "cemetery": ("landuse", "cemetery", 12),
        "recreation_ground": ("landuse", "recreation_ground", 12),
        "industrial": ("landuse", "industrial", 11),
        "railway": ("landuse", "railway", 12),
    },
    "leisure": {
        "park": ("landuse", "park", 11),
        "garden": ("landuse", "garden", 13),
        "golf_course": ("landuse", "golf_course", 11),
        "nature_reserve": ("landuse", "nature_reserve", 11),
        "dog_park": ("landuse", "dog_park", 14),
        "pitch": ("landuse", "pitch", 13),
        "playground": ("landuse", "playground", 14),
        "stadium": ("landuse", "stadium", 12),
        "swimming_pool": ("water", "swimming_pool", 15),
    },
    "waterway": {"riverbank": ("water", "river", 11), "dock": ("water", "dock", 12)},
    "highway": {
        "pedestrian": ("landuse", "pedestrian", 13),
        "footway": ("landuse", "pedestrian", 14),
        "service": ("landuse", "pedestrian", 14),
        "platform": ("landuse", "platform", 15),
    },
    "railway": {"platform": ("landuse", "platform", 14)},
    "place": {"square": ("landuse", "pedestrian", 13)},
    "man_made": {"pier": ("landuse", "pier", 13), "bridge": ("landuse", "pedestrian", 14)},
    "amenity": {
        "fountain": ("water", "fountain", 15),
        "university": ("landuse", "university", 12),
        "college": ("landuse", "college", 12),
        "school": ("landuse", "school", 13),
        "kindergarten": ("landuse", "kindergarten", 14),
        "hospital": ("landuse", "hospital", 12),
        "parking": ("landuse", "parking", 15),
    },
}
_MADE_BY_BEING_CLOSED: Final = {"highway", "railway"}  # a closed footway is a ring unless it has area=yes


def _ground(tags: Tags) -> LayerRule | None:
    if _number(tags.get("layer")) < 0 or tags.get("building", "no") != "no":
        return None
    for key, values in GROUND.items():
        known = values.get(tags.get(key, ""))
        ring = (
            key in _MADE_BY_BEING_CLOSED and tags.get("area") != "yes" and tags.get("type") != "multipolygon"
        )
        if known and not ring:
            layer, kind, zoom = known
            return LayerRule(layer, tags.get("water", kind) if kind == "water" else kind, zoom, _named(tags))
    return None


def _pier(tags: Tags) -> LayerRule | None:
    return LayerRule("roads", "path", 13, {"kind_detail": "pier"}) if tags.get("man_made") == "pier" else None


# --- buildings and house numbers
def _building(tags: Tags) -> LayerRule | None:
    if tags.get("building", "no") == "no" or _number(tags.get("layer")) < 0:
        return None
    return LayerRule("buildings", "building", 13, {})


def _house_number(tags: Tags) -> LayerRule | None:
    number = clean(tags.get("addr:housenumber", ""))
    return LayerRule("buildings", "address", 15, {"addr_housenumber": number}) if number else None


# --- boundaries: admin_level -> (kind, min_zoom)
BOUNDARIES: Final = {"2": ("country", 0), "4": ("region", 6), "6": ("county", 8), "8": ("locality", 10)}


def _boundary(tags: Tags) -> LayerRule | None:
    known = BOUNDARIES.get(tags.get("admin_level", "")) if tags.get("boundary") == "administrative" else None
    return (
        LayerRule("boundaries", known[0], known[1], {"kind_detail": int(tags["admin_level"])})
        if known
        else None
    )


# --- places: place -> (kind, min_zoom, rank within its kind)
PLACES: Final[Mapping[str, tuple[str, int, int]]] = {
    "city": ("locality", 5, 10),
    "town": ("locality", 8, 8),
    "village": ("locality", 11, 6),
    "hamlet": ("locality", 13, 4),
    "suburb": ("neighbourhood", 12, 5),
    "quarter": ("neighbourhood", 13, 4),
    "neighbourhood": ("neighbourhood", 13, 3),
}


def _place(tags: Tags) -> LayerRule | None:
    detail = tags.get("place", "")
    known = PLACES.get(detail)
    if known is None or "name" not in tags:
        return None
    kind, zoom, rank = known
    return LayerRule("places", kind, zoom, {"kind_detail": detail, "population_rank": rank, **_named(tags)})


# --- points of interest: (key, value) -> (kind, min_zoom); only those that help with orientation
POIS: Final[Mapping[str, Mapping[str, tuple[str, int]]]] = {
    "railway": {"station": ("train_station", 13)},
    "tourism": {"museum": ("museum", 14), "gallery": ("gallery", 15), "attraction": ("attraction", 15)},
    "amenity": {
        "university": ("university", 14),
        "hospital": ("hospital", 13),
        "library": ("library", 14),
        "theatre": ("theatre", 14),
        "townhall": ("townhall", 14),
        "place_of_worship": ("place_of_worship", 15),
        "school": ("school", 15),
        "cinema": ("cinema", 15),
        "marketplace": ("marketplace", 15),
    },
    "leisure": {"park": ("park", 14), "stadium": ("stadium", 13)},
    "landuse": {"cemetery": ("cemetery", 14)},
    "shop": {"mall": ("mall", 14), "department_store": ("department_store", 14)},
}


def _poi(tags: Tags) -> LayerRule | None:
    if "name" not in tags:
        return None
    for key, values in POIS.items():
        known = values.get(tags.get(key, ""))
        if known:
            return LayerRule("pois", known[0], known[1], _named(tags))
    return None


# --- attributes
def _named(tags: Tags) -> dict[str, str | int | float | bool]:
    """Return the local name, the English name and the reference number, if present."""
    return {key: name for key in ("name", "name:en", "ref") if (name := clean(tags.get(key, "")))}


def _number(text: str | None) -> float:
    """Return a `layer` value as a number. Lists and words, which also occur, count as 0, the ground."""
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
