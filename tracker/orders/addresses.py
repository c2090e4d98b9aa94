"""Addresses of stops: the place that the map gives for a stop without coordinates."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from tracker.domain.order import Order, Precision, StopKind
from tracker.errors import AddressNotFound, Candidate, FieldError, MapUnavailable
from tracker.map.geocoder import Geocoder, Hit, Resolved
from tracker.map.preparation import Preparation

UNKNOWN: Final = "fits no address of the map; take one of `candidates`, or give `lat` and `lon`"
AMBIGUOUS: Final = (
    "fits several places; take one of `candidates`, add the city or postcode, or give `lat` and `lon`"
)


class FoundPlace(NamedTuple):
    """The place of an address."""

    lat: float  # degrees
    lon: float  # degrees
    precision: Precision


class AddressBook:
    """Finds the addresses of one request; each text is searched once."""

    def __init__(self, geocoder: Preparation[Geocoder]) -> None:
        self._geocoder = geocoder
        self._known: dict[str, Resolved] = {}

    async def find(self, addresses: Mapping[str, str]) -> dict[str, FoundPlace]:
        """Return the places of *addresses*, by field.

        Raises AddressNotFound with each that fits nothing or several places; MapUnavailable.
        """
        found = {field: await self._resolve(text) for field, text in addresses.items()}
        wrong = {field: each for field, each in found.items() if each.hit is None}
        if wrong:
            raise AddressNotFound(
                [
                    FieldError(field, AMBIGUOUS if each.is_ambiguous else UNKNOWN)
                    for field, each in wrong.items()
                ],
                {field: [_candidate(hit) for hit in each.candidates] for field, each in wrong.items()},
            )
        hits = {field: each.hit for field, each in found.items() if each.hit is not None}
        return {field: FoundPlace(hit.lat, hit.lon, hit.precision) for field, hit in hits.items()}

    async def find_moved(self, order: Order, addresses: Mapping[StopKind, str]) -> dict[str, FoundPlace]:
        """Return the places of new addresses, by field, but for stops with exact places, which stay."""
        moved = {kind: text for kind, text in addresses.items() if order.place(kind).precision != "exact"}
        return await self.find({f"{kind}.address": text for kind, text in moved.items()})

    async def _resolve(self, text: str) -> Resolved:
        if text not in self._known:
            if self._geocoder.value is None:
                why = f"Addresses cannot be searched, so stops need `lat` and `lon`. {self._geocoder.why}"
                raise MapUnavailable(why)
            self._known[text] = await self._geocoder.value.resolve(text)
        return self._known[text]


def _fault(resolved: Resolved) -> str:
    return AMBIGUOUS if resolved.is_ambiguous else UNKNOWN


def _candidate(hit: Hit) -> Candidate:
    return Candidate(hit.address, hit.lat, hit.lon, hit.precision)
