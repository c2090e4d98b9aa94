"""Join the pieces of a street, so that its name appears once and not on each of its ways."""

from collections import defaultdict
from collections.abc import Iterable

import shapely

from tracker.map.basemap.osm_features import Feature


def join_streets(features: Iterable[Feature]) -> list[Feature]:
    """Join lines of the layer `roads` with equal attributes end to end; leave all other features alone."""
    groups: defaultdict[tuple[object, ...], list[Feature]] = defaultdict(list)
    others: list[Feature] = []
    for feature in features:
        if feature.rule.layer == "roads":
            rule = feature.rule
            groups[(rule.kind, rule.min_zoom, *sorted(rule.more.items()))].append(feature)
        else:
            others.append(feature)
    return others + [joined for group in groups.values() for joined in _joined(group)]


def _joined(group: list[Feature]) -> list[Feature]:
    rule = group[0].rule
    pieces = shapely.get_parts([feature.geometry for feature in group])
    merged = shapely.line_merge(shapely.multilinestrings(pieces))
    return [Feature(rule, line) for line in shapely.get_parts(merged)]
