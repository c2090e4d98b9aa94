"""Style of the map for MapLibre, with a palette for each theme. Pure."""

from collections.abc import Callable
from typing import Any, Final

from tracker.map.basemap.archive import ATTRIBUTION, Bounds
from tracker.map.basemap.palette import PALETTES, Palette, Theme

Layer = dict[str, Any]

SOURCE: Final = "map"
COPYRIGHT: Final = "https://www.openstreetmap.org/copyright"
LATIN: Final = ["U+0000-00FF", "U+2000-206F", "U+20AC"]
LATIN_EXTENDED: Final = ["U+0100-02BA", "U+1E00-1E9F", "U+1EF2-1EFF"]
CLOSE_BY: Final = 15  # zoom level; from here on the districts replace the name of the town
LABELS_BEGIN: Final = "labels-begin"  # the page draws its lines below this layer


def style(
    theme: Theme, *, bounds: Bounds, zooms: tuple[int, int], static: Callable[[str], str], tiles: str
) -> Layer:
    """Return the style. *static* returns the URL path of a file in `web/`; *tiles* is that of the tiles."""
    palette = PALETTES[theme]
    return {
        "version": 8,
        "name": f"tracker {theme}",
        "sources": {SOURCE: _source(bounds, zooms, tiles)},
        "font-faces": _fonts(static),
        "layers": [*_ground(palette), *_roads(palette), *_labels(palette)],
    }


def _source(bounds: Bounds, zooms: tuple[int, int], tiles: str) -> Layer:
    return {
        "type": "vector",
        "tiles": [f"{tiles}/{{z}}/{{x}}/{{y}}.mvt"],
        "bounds": list(bounds),
        "minzoom": zooms[0],
        "maxzoom": zooms[1],
        "attribution": f'<a href="{COPYRIGHT}" target="_blank" rel="noopener">{ATTRIBUTION}</a>',
    }


def _fonts(static: Callable[[str], str]) -> Layer:
    return {
        name: [
            {"url": static(f"vendor/inter/inter-latin-{weight}-normal.woff2"), "unicode-range": LATIN},
            {
                "url": static(f"vendor/inter/inter-latin-ext-{weight}-normal.woff2"),
                "unicode-range": LATIN_EXTENDED,
            },
        ]
        for name, weight in (("Inter Medium", 500), ("Inter SemiBold", 600))
    }


def _layer(name: str, kind: str, source_layer: str, condition: Any, **attributes: Layer | float) -> Layer:
    layer = {"id": name, "type": kind, "source": SOURCE, "source-layer": source_layer, **attributes}
    return layer if condition is None else {**layer, "filter": condition}


def _kinds(*kinds: str, of: str = "kind") -> Any:
    return ["in", ["get", of], ["literal", list(kinds)]]


def _by_zoom(*stops: float) -> Any:
    return ["interpolate", ["exponential", 1.6], ["zoom"], *stops]


# --- the ground


def _ground(palette: Palette) -> list[Layer]:
    area = ["==", ["geometry-type"], "Polygon"]
    fills = [
        ("earth", "earth", area, palette.earth),
        ("campus", "landuse", _kinds(*_CAMPUS), palette.campus),
        ("paved", "landuse", _kinds("pedestrian", "platform", "pier", "parking", "railway"), palette.paved),
        ("green", "landuse", _kinds(*_GREEN), palette.green),
        ("wood", "landuse", _kinds("wood", "forest", "scrub", "orchard"), palette.wood),
        ("pitch", "landuse", _kinds("pitch", "stadium", "playground"), palette.pitch),
        ("water", "water", area, palette.water),
    ]
    return [
        {"id": "background", "type": "background", "paint": {"background-color": palette.earth}},
        *(
            _layer(name, "fill", layer, condition, paint={"fill-color": colour})
            for name, layer, condition, colour in fills
        ),
        _line("waterway", "water", ["==", ["geometry-type"], "LineString"], palette.water, (12, 1, 18, 8)),
        _building(palette),
    ]


_GREEN: Final = (
    "park", "garden", "grass", "grassland", "meadow", "village_green", "cemetery", "recreation_ground",
    "golf_course", "nature_reserve", "dog_park", "allotments", "wetland",
)  # fmt: skip
_CAMPUS: Final = ("university", "college", "school", "kindergarten", "hospital", "industrial")


def _building(palette: Palette) -> Layer:
    paint = {
        "fill-color": palette.building,
        "fill-outline-color": palette.building_edge,
        "fill-opacity": _by_zoom(13, 0.4, 15, 1),
    }
    return _layer("building", "fill", "buildings", ["==", ["get", "kind"], "building"], paint=paint)


def _line(
    name: str, source: str, condition: Any, colour: str, width: tuple[float, ...], **more: Any
) -> Layer:
    layout = {"line-cap": "butt" if "line-dasharray" in more else "round", "line-join": "round"}
    paint = {"line-color": colour, "line-width": _by_zoom(*width), **more}
    return _layer(name, "line", source, condition, paint=paint, layout=layout)


# --- roads and railways

_OPEN_AIR: Final = ["!", ["has", "is_tunnel"]]
# kind of street -> (its roads, width in pixels by zoom)
_STREETS: Final[tuple[tuple[str, Any, tuple[float, ...]], ...]] = (
    ("service", ["==", ["get", "kind_detail"], "service"], (14, 1, 16, 4, 18, 12)),
    (
        "minor",
        ["all", ["==", ["get", "kind"], "minor_road"], ["!=", ["get", "kind_detail"], "service"]],
        (12, 0.6, 14, 3, 16, 10, 18, 32),
    ),
    ("street", _kinds("tertiary", "secondary", of="kind_detail"), (11, 0.8, 14, 4.5, 16, 13, 18, 38)),
    ("major", _kinds("primary", "trunk", of="kind_detail"), (9, 0.8, 14, 5.5, 16, 15, 18, 44)),
    ("motorway", ["==", ["get", "kind"], "highway"], (8, 1, 14, 7, 16, 17, 18, 48)),
)


def _roads(palette: Palette) -> list[Layer]:
    paths = ["all", ["==", ["get", "kind"], "path"], ["!=", ["get", "kind_detail"], "pedestrian"], _OPEN_AIR]
    walks = ["all", ["==", ["get", "kind_detail"], "pedestrian"], _OPEN_AIR]
    casings = [_street(name, kind, width, palette, casing=True) for name, kind, width in _STREETS]
    fills = [_street(name, kind, width, palette, casing=False) for name, kind, width in _STREETS]
    return [
        _line(
            "path", "roads", paths, palette.path, (14, 0.6, 17, 1.3, 19, 2.2), **{"line-dasharray": [3, 2]}
        ),
        _line("walk", "roads", walks, palette.paved, (13, 0.6, 16, 5, 18, 18)),
        *casings,
        *fills,
        *_rails(palette),
        _line(
            "boundary", "boundaries", None, palette.boundary, (8, 0.6, 14, 1.4), **{"line-dasharray": [4, 2]}
        ),
    ]


def _street(name: str, kind: Any, width: tuple[float, ...], palette: Palette, *, casing: bool) -> Layer:
    more = {"line-opacity": ["case", ["has", "is_tunnel"], 0.35, 1]}
    if casing:
        edged = tuple(stop + 2 if i % 2 else stop for i, stop in enumerate(width))
        return _line(f"{name}-edge", "roads", kind, palette.road_edge, edged, **more)
    return _line(name, "roads", kind, palette.road, width, **more)


def _rails(palette: Palette) -> list[Layer]:
    tram = ["==", ["get", "kind_detail"], "tram"]
    rail = ["all", ["==", ["get", "kind"], "rail"], ["!=", ["get", "kind_detail"], "tram"]]
    sleepers = {"line-dasharray": [0.3, 2.2]}
    return [
        _line("tram", "roads", tram, palette.rail, (14, 0.5, 18, 1.4)),
        _line("rail", "roads", rail, palette.rail, (12, 0.6, 18, 2)),
        _line("rail-sleepers", "roads", rail, palette.rail, (15, 2, 18, 7), **sleepers),
    ]


# --- names


def _labels(palette: Palette) -> list[Layer]:
    beginning = {"id": LABELS_BEGIN, "type": "background", "paint": {"background-opacity": 0}}
    house = ["==", ["get", "kind"], "address"]
    streets = ["all", ["has", "name"], ["!=", ["get", "kind"], "rail"], _OPEN_AIR]
    district = ["==", ["get", "kind"], "neighbourhood"]
    town = ["==", ["get", "kind"], "locality"]
    return [  # MapLibre places later layers first
        beginning,
        _name(
            "house-number",
            "buildings",
            house,
            ink=(palette.poi_name, palette.halo),
            label=(17, _HOUSE_NUMBER),
        ),
        _name("poi-name", "pois", None, ink=(palette.poi_name, palette.halo), label=(15, _POI_NAME)),
        _name(
            "street-name", "roads", streets, ink=(palette.street_name, palette.halo), label=(13, _STREET_NAME)
        ),
        _name(
            "water-name",
            "water",
            ["has", "name"],
            ink=(palette.water_name, palette.halo),
            label=(13, _WATER_NAME),
        ),
        _name(
            "district-name",
            "places",
            district,
            ink=(palette.place_name, palette.halo),
            label=(12, _DISTRICT_NAME),
        ),
        {
            **_name(
                "town-name", "places", town, ink=(palette.place_name, palette.halo), label=(0, _TOWN_NAME)
            ),
            "maxzoom": CLOSE_BY,
        },
    ]


def _spaced(ems: float) -> Any:
    """Space letters only in scripts with capitals: other scripts join their letters or set them close."""
    name = ["get", "name"]
    return ["case", ["==", ["upcase", name], ["downcase", name]], 0, ems]


_MEDIUM: Final = {"text-font": ["Inter Medium"]}
_SEMIBOLD: Final = {"text-font": ["Inter SemiBold"]}
_HOUSE_NUMBER: Final = {**_MEDIUM, "text-field": ["get", "addr_housenumber"], "text-size": 10}
_STREET_NAME: Final = {
    **_MEDIUM,
    "text-field": ["get", "name"],
    "symbol-placement": "line",
    "symbol-spacing": 380,
    "text-size": _by_zoom(13, 10.5, 17, 13.5),
    "text-max-angle": 32,
    "symbol-sort-key": ["match", ["get", "kind"], "highway", 0, "major_road", 1, "minor_road", 2, 3],
}
_WATER_NAME: Final = {
    **_MEDIUM,
    "text-field": ["get", "name"],
    "text-size": 12,
    "text-letter-spacing": _spaced(0.04),
}
_POI_NAME: Final = {
    **_MEDIUM,
    "text-field": ["get", "name"],
    "text-size": 11,
    "text-max-width": 8,
    "text-padding": 12,
    "symbol-sort-key": ["get", "min_zoom"],
}
_DISTRICT_NAME: Final = {
    **_SEMIBOLD,
    "text-field": ["get", "name"],
    "text-transform": "uppercase",
    "text-letter-spacing": _spaced(0.12),
    "text-size": _by_zoom(12, 11, 17, 14),
}
_TOWN_NAME: Final = {**_SEMIBOLD, "text-field": ["get", "name"], "text-size": _by_zoom(8, 13, 14, 20)}


def _name(name: str, source: str, condition: Any, *, ink: tuple[str, str], label: tuple[int, Layer]) -> Layer:
    """*ink* holds the colours of letters and halo, *label* the first zoom level and the layout."""
    (min_zoom, layout), (colour, halo) = label, ink
    paint = {"text-color": colour, "text-halo-color": halo, "text-halo-width": 1.6}
    return _layer(name, "symbol", source, condition, paint=paint, layout=layout, minzoom=min_zoom)
