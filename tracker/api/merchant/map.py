"""`/v1/map`, `/v1/geocode`, `/v1/routes`: bounds, addresses and routes, to place orders on the map."""

from math import nan
from random import Random
from typing import Annotated, ClassVar, Final

from msgspec import Meta, Struct
from quart import Blueprint, Response

from tracker.api.auth import require_scope, take_requests
from tracker.api.describe import endpoint
from tracker.api.json_bodies import LongText, RequestBody, answer, body, query
from tracker.api.merchant.responses import Page
from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.route import Leg
from tracker.errors import FieldError, InvalidFields, MapUnavailable, NoRoute, RouterUnavailable
from tracker.map.addresses import Address
from tracker.map.extent import middle
from tracker.map.geocoder import Geocoder, Hit, Near, Precision, Resolved
from tracker.map.preparation import settled
from tracker.messages import LineString
from tracker.node import current_node

ATTRIBUTION: Final = "© OpenStreetMap contributors"

ADDRESSES: Final = 500  # in one request, as many as orders in bulk
ADDRESSES_BYTES: Final = 524_288  # of a body: 1 kB for each
ANSWER_WITHIN: Final = 10.0  # seconds that a request waits while the addresses are read

blueprint = Blueprint("map", __name__)


class Area(Struct, frozen=True):
    """The area of the map extract, in degrees."""

    name: str
    """File name of the extract."""
    bbox: tuple[float, float, float, float]
    """West, south, east, north in degrees. West is greater than east across the antimeridian."""
    center: tuple[float, float]
    """Middle of the box as [lon, lat] in degrees."""
    attribution: str = ATTRIBUTION
    """Credit to show with the map."""


class AddressQuery(Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=500)] = 200
    """Number of addresses."""
    seed: int = 1
    """The same seed gives the same addresses."""


class Addresses(Struct, frozen=True):
    items: list[Address]
    """Addresses of the area."""


class GeocodeQuery(Struct, frozen=True, forbid_unknown_fields=True):
    q: Annotated[str, Meta(min_length=1, max_length=200)]
    """The address, or its beginning, as people write it; at most 200 characters."""
    limit: Annotated[int, Meta(ge=1, le=500)] = 10
    """Number of results."""
    near: Annotated[str, Meta(max_length=60)] | None = None
    """`lat,lon` in degrees: of equal results, the nearest come first."""

    def place(self) -> Near | None:
        """Return the place that results should be near to. Raises InvalidFields."""
        if self.near is None:
            return None
        try:
            lat, lon = map(float, self.near.split(","))
        except ValueError:
            lat = lon = nan
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            raise InvalidFields([FieldError("near", "must be lat,lon in degrees, such as 60.17,24.94")])
        return Near(lat, lon)


class FoundAddress(Struct, frozen=True):
    """An address of the map."""

    address: str
    """The address as people write it in that country."""
    lat: float
    """Degrees north, WGS 84."""
    lon: float
    """Degrees east, WGS 84."""
    precision: Precision
    """What the coordinates are: the `house` (or between its neighbours), the `street`, or the `place`."""

    @classmethod
    def of(cls, hit: Hit) -> "FoundAddress":
        return cls(hit.address, hit.lat, hit.lon, hit.precision)


class AddressList(RequestBody, frozen=True, kw_only=True):
    body_bytes: ClassVar[int] = ADDRESSES_BYTES

    addresses: Annotated[list[LongText], Meta(max_length=ADDRESSES)]
    """At most 500 addresses as people write them, each of at most 500 characters."""


class AddressMeaning(Struct, frozen=True):
    """What an order with this address alone would get."""

    place: FoundAddress | None
    """The place of the stop; null if the order would be refused."""
    candidates: list[FoundAddress]
    """Without a place: what may be meant, the best first."""
    ambiguous: bool
    """Whether several places fit, so that a person has to choose."""

    @classmethod
    def of(cls, resolved: Resolved) -> "AddressMeaning":
        if resolved.hit is not None:
            return cls(FoundAddress.of(resolved.hit), [], ambiguous=False)
        return cls(None, [FoundAddress.of(hit) for hit in resolved.candidates], resolved.is_ambiguous)


class AddressMeanings(Struct, frozen=True):
    items: list[AddressMeaning]
    """One for each address, in the sequence of the request."""


class RoutePlace(Struct, frozen=True, forbid_unknown_fields=True):
    lat: Annotated[float, Meta(ge=-90, le=90)]
    """Degrees north, WGS 84."""
    lon: Annotated[float, Meta(ge=-180, le=180)]
    """Degrees east, WGS 84."""


class RouteRequest(Struct, frozen=True, forbid_unknown_fields=True):
    places: Annotated[list[RoutePlace], Meta(min_length=2, max_length=50)]
    """Places to visit, in sequence."""
    vehicle: Vehicle = "car"
    """Vehicle to route for."""


class WireEdge(Struct, frozen=True):
    """A section of street, from `begin` to `end` of the leg's coordinates."""

    begin: int
    """Index of its first point in the leg's coordinates."""
    end: int
    """Index of its last point in the leg's coordinates."""
    length_m: float
    """Length in metres."""
    duration_s: float
    """Driving time in seconds."""
    road_class: str
    """Class of the road as Valhalla names it, such as `residential`."""
    signal: bool
    """Whether a traffic light stands at its end."""


class WireLeg(Struct, frozen=True):
    geometry: LineString
    """Line of the leg."""
    distance_m: float
    """Length in metres."""
    duration_s: float
    """Driving time in seconds."""
    edges: list[WireEdge]
    """Pieces of street, in sequence."""

    @classmethod
    def of(cls, leg: Leg) -> "WireLeg":
        edges = [
            WireEdge(
                edge.begin,
                edge.end,
                round(edge.length_m, 2),
                round(edge.duration_s, 2),
                edge.road_class,
                edge.signal,
            )
            for edge in leg.edges
        ]
        return cls(LineString.of(leg.line), round(leg.distance_m, 1), round(leg.duration_s, 2), edges)


class RouteAnswer(Struct, frozen=True):
    legs: list[WireLeg]
    """One leg from each place to the next."""


@blueprint.get("/v1/map")
@require_scope("read")
@endpoint(answer=Area, raises=(MapUnavailable,))
async def describe_map() -> Response:
    """Get the area of the map."""
    west, south, east, north = await _bounds()
    center = round(middle(west, east), 6), round((south + north) / 2, 6)
    return answer(Area(current_node().map_file.name, (west, south, east, north), center))


async def _bounds() -> tuple[float, float, float, float]:
    """Return the bounds of the extract, or else of the map tiles. Raises MapUnavailable."""
    node = current_node()
    await settled([node.addresses], ANSWER_WITHIN)
    if node.addresses.value is not None:
        return node.addresses.value.bbox
    if node.basemap.value is not None:
        return node.basemap.value.bounds
    raise MapUnavailable(f"The bounds of the map are unknown. {node.addresses.why}")


@blueprint.get("/v1/map/addresses")
@require_scope("read")
@endpoint(query=AddressQuery, answer=Addresses, raises=(MapUnavailable,))
async def sample_addresses() -> Response:
    """List a random sample of real addresses; the same seed gives the same ones.

    The list is empty if the map has no addresses, or if they could not be read.
    """
    wanted, addresses = query(AddressQuery), current_node().addresses
    if not await settled([addresses], ANSWER_WITHIN):
        raise MapUnavailable("The addresses of the map are being read; retry later.")
    known = addresses.value.addresses if addresses.value is not None else ()
    return answer(Addresses(Random(wanted.seed).sample(known, min(wanted.limit, len(known)))))


@blueprint.get("/v1/geocode")
@require_scope("read")
@endpoint(query=GeocodeQuery, answer=Page[FoundAddress], raises=(MapUnavailable,))
async def geocode() -> Response:
    """Find addresses of the map for a text, also while somebody is typing it; the best comes first.

    The order of the parts, case, accents, common abbreviations and small typing errors make no difference. A
    house number that the map lacks is placed between its neighbours. The list is empty if nothing fits.
    """
    wanted = query(GeocodeQuery)
    near = wanted.place()
    hits = await (await _geocoder()).suggest(wanted.q, wanted.limit, near)
    return answer(Page([FoundAddress.of(hit) for hit in hits], None))


@blueprint.post("/v1/geocode")
@require_scope("read")
@endpoint(body=AddressList, answer=AddressMeanings, raises=(MapUnavailable,))
async def locate_addresses() -> Response:
    """Find the places of up to 500 whole addresses, as orders with them would get them.

    So a list of orders can be checked before they are created. Each address counts as one request of the
    key's allowance.
    """
    wanted = await body(AddressList)
    take_requests(max(0, len(wanted.addresses) - 1))  # the request itself has taken one
    geocoder = await _geocoder()
    known = {text: await geocoder.resolve(text) for text in dict.fromkeys(wanted.addresses)}
    return answer(AddressMeanings([AddressMeaning.of(known[text]) for text in wanted.addresses]))


async def _geocoder() -> Geocoder:
    """Return the address search, as soon as it is made. Raises MapUnavailable."""
    geocoder = current_node().geocoder
    await settled([geocoder], ANSWER_WITHIN)
    if geocoder.value is None:
        raise MapUnavailable(f"Addresses cannot be searched. {geocoder.why}")
    return geocoder.value


@blueprint.post("/v1/routes")
@require_scope("read")
@endpoint(body=RouteRequest, answer=RouteAnswer, raises=(NoRoute, RouterUnavailable))
async def find_route() -> Response:
    """Find the route from place to place, street by street; 404 if there is none."""
    wanted = await body(RouteRequest)
    places = [LonLat(place.lon, place.lat) for place in wanted.places]
    legs = await current_node().router.route(places, wanted.vehicle, edges=True)
    return answer(RouteAnswer([WireLeg.of(leg) for leg in legs]))
