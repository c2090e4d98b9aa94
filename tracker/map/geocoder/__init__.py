"""Geocoder: an index of the addresses of the extract, and the search in it."""

from tracker.map.geocoder.finding.index import Near
from tracker.map.geocoder.finding.resolving import Resolved
from tracker.map.geocoder.finding.search import Hit, Precision
from tracker.map.geocoder.geocoder import Geocoder
from tracker.map.geocoder.opening import open_geocoder

__all__ = ["Geocoder", "Hit", "Near", "Precision", "Resolved", "open_geocoder"]
