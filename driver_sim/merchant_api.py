"""MerchantApi: the endpoints for merchants that the simulator uses."""

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import httpx
import msgspec

from driver_sim.urls import is_local
from tracker.domain.geo import LonLat
from tracker.domain.order import Place, Vehicle
from tracker.domain.route import Edge, Leg
from tracker.messages import LineString

TIMEOUT: Final = 20.0  # seconds; the first route may have to wait for the router to start
PAGE_SIZE: Final = 500


class ApiError(Exception):
    """A failed request. `status` is the HTTP status, or 0 without a response."""

    def __init__(self, status: int, title: str, detail: str = "") -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.status = status


class Broker(msgspec.Struct, frozen=True):
    """The MQTT broker for phones, and a driver's account and topic there."""

    host: str
    port: int
    tls: bool
    username: str
    password: str
    topic: str


class AppSettings(msgspec.Struct, frozen=True):
    """What the simulator needs of the settings for phone apps."""

    mqtt: Broker | None = None


class DriverAccess(msgspec.Struct, frozen=True):
    """A driver with a new token, and what it opens."""

    id: str
    token: str
    setup: AppSettings = AppSettings()


class ExistingDriver(msgspec.Struct, frozen=True):
    """A driver that the service already has."""

    id: str
    name: str
    vehicle: Vehicle
    reference: str | None = None
    last_fix: Place | None = None


class NewOrder(msgspec.Struct, frozen=True):
    """The fields of an order that the simulator needs."""

    id: str
    tracking_url: str
    status: str = ""
    reference: str | None = None
    requirements: dict[str, dict[str, Any]] = {}  # of each stop, as the merchant gave them


class _Drivers(msgspec.Struct, frozen=True):
    items: list[ExistingDriver]
    next: str | None = None


class _Addresses(msgspec.Struct, frozen=True):
    items: list[Place]


class _WireLeg(msgspec.Struct, frozen=True):
    geometry: LineString
    distance_m: float
    duration_s: float
    edges: tuple[Edge, ...] = ()


class _Routes(msgspec.Struct, frozen=True):
    legs: list[_WireLeg]


class _Problem(msgspec.Struct, frozen=True):
    title: str = "The request failed"
    detail: str = ""
    errors: list[dict[str, Any]] = []


class MerchantApi:
    """An HTTP client with an API key. Every method raises ApiError."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=TIMEOUT,
            trust_env=not is_local(url),
            verify=ssl.create_default_context(),  # the system's authorities and SSL_CERT_FILE, as for sockets
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    # --- the map

    async def addresses(self, *, limit: int, seed: int) -> list[Place]:
        """Return up to *limit* addresses of the map. The same seed gives the same addresses."""
        body = await self._call("GET", f"/v1/map/addresses?limit={limit}&seed={seed}")
        return msgspec.json.decode(body, type=_Addresses).items

    async def route(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[Leg, ...]:
        """Return the legs between consecutive places. Raises ApiError (404 without a route)."""
        payload = {"places": [{"lat": at.lat, "lon": at.lon} for at in places], "vehicle": vehicle}
        body = await self._call("POST", "/v1/routes", payload)
        return tuple(_leg(leg) for leg in msgspec.json.decode(body, type=_Routes).legs)

    # --- drivers

    async def drivers(self) -> AsyncIterator[ExistingDriver]:
        """Yield all drivers."""
        cursor: str | None = None
        while True:
            page_query = f"&cursor={cursor}" if cursor else ""
            page = msgspec.json.decode(
                await self._call("GET", f"/v1/drivers?limit={PAGE_SIZE}{page_query}"), type=_Drivers
            )
            for driver in page.items:
                yield driver
            cursor = page.next
            if cursor is None:
                return

    async def create_driver(self, name: str, vehicle: Vehicle, reference: str | None = None) -> DriverAccess:
        body = {"name": name, "vehicle": vehicle, "reference": reference}
        return msgspec.json.decode(await self._call("POST", "/v1/drivers", body), type=DriverAccess)

    async def new_token(self, driver_id: str) -> DriverAccess:
        """Create a new token for a driver. The old token becomes invalid."""
        return msgspec.json.decode(
            await self._call("POST", f"/v1/drivers/{driver_id}/token"), type=DriverAccess
        )

    async def set_stops(self, driver_id: str, stops: Sequence[tuple[str, str]]) -> None:
        """Set the driver's stop sequence: pairs of order id and `pickup` or `dropoff`."""
        payload = {"stops": [{"order_id": order_id, "kind": kind} for order_id, kind in stops]}
        await self._call("PUT", f"/v1/drivers/{driver_id}/stops", payload)

    # --- orders

    async def create_order(
        self,
        pickup: Place,
        dropoff: Place,
        *,
        driver_id: str,
        reference: str,
        customer: str | None = None,
        requirements: Mapping[str, Any] | None = None,
    ) -> NewOrder:
        """Create an order assigned to the driver. Idempotent by *reference*."""
        body = {
            "reference": reference,
            "pickup": _stop(pickup),
            "dropoff": _stop(dropoff),
            "customer": {"name": customer} if customer else None,
            "driver_id": driver_id,
            "requirements": requirements,
        }
        fields = {name: value for name, value in body.items() if value is not None}
        return msgspec.json.decode(
            await self._call("POST", "/v1/orders", fields, key=reference), type=NewOrder
        )

    async def set_status(self, order_id: str, status: str) -> None:
        """Set an order's status, or leave it if an earlier attempt without an answer has set it."""
        try:
            await self._call("POST", f"/v1/orders/{order_id}/status", {"status": status})
        except ApiError as error:
            if error.status != 409 or (await self.order(order_id)).status != status:
                raise

    async def order(self, order_id: str) -> NewOrder:
        return msgspec.json.decode(await self._call("GET", f"/v1/orders/{order_id}"), type=NewOrder)

    # --- the wire

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> bytes:
        """Send a request and return the response body. Writes with the same *key* are idempotent."""
        headers = {} if method == "GET" else {"Idempotency-Key": key or uuid4().hex}
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = await self._http.request(method, path, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise ApiError(0, f"No response from {self.url}", str(error) or type(error).__name__) from error
        if response.is_success:
            return response.content
        raise api_error(response)


def api_error(response: httpx.Response) -> ApiError:
    """Convert a problem+json response to an error of one line, with the invalid fields."""
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.MsgspecError:
        return ApiError(response.status_code, f"HTTP {response.status_code} without problem details")
    fields = "; ".join(f"{one.get('field')}: {one.get('detail')}" for one in problem.errors)
    return ApiError(response.status_code, problem.title, " ".join(filter(None, (problem.detail, fields))))


def _leg(wire: _WireLeg) -> Leg:
    line = tuple(LonLat(lon, lat) for lon, lat in wire.geometry.coordinates)
    return Leg(line, wire.distance_m, wire.duration_s, wire.edges)


def _stop(place: Place) -> dict[str, Any]:
    """Return a stop as a merchant gives it, without the precision, which the service tells."""
    fields = msgspec.to_builtins(place)
    return {name: value for name, value in fields.items() if value is not None and name != "precision"}
