"""Streets: equal pieces joined, so that a name is written once along a street and not on each of its ways."""

from collections import defaultdict
from collections.abc import Iterable

import shapely

from tracker.map.basemap.osm_features import Feature


def join_streets(features: Iterable[Feature]) -> list[Feature]:
    """Lines of the layer `roads` that look the same, end to end; everything else as it was."""
    alike: defaultdict[tuple[object, ...], list[Feature]] = defaultdict(list)
    others: list[Feature] = []
    for feature in features:
        if feature.look.layer == "roads":
            look = feature.look
            alike[(look.kind, look.min_zoom, *sorted(look.more.items()))].append(feature)
        else:
            others.append(feature)
    return others + [joined for group in alike.values() for joined in _joined(group)]


def _joined(group: list[Feature]) -> list[Feature]:
    look = group[0].look
    pieces = shapely.get_parts([feature.geometry for feature in group])
    merged = shapely.line_merge(shapely.multilinestrings(pieces))
    return [Feature(look, line) for line in shapely.get_parts(merged)]
