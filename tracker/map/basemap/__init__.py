"""Basemap: vector tiles of an OpenStreetMap extract, built once and served from one file."""

from tracker.map.basemap.archive import Basemap
from tracker.map.basemap.prepare import BasemapFailed, ensure_basemap, missing_features, open_basemap

__all__ = ["Basemap", "BasemapFailed", "ensure_basemap", "missing_features", "open_basemap"]
