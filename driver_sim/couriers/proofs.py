"""Proofs: what a courier sends because a stop of an order needs it."""

import ssl
from collections.abc import Callable, Iterator
from typing import Final
from uuid import uuid4

import httpx
import msgspec

from driver_sim.couriers.order_source import OnError, retry_while_unavailable
from driver_sim.couriers.pictures import photo, signature
from driver_sim.errors import NoPin
from driver_sim.merchant_api import ApiError, MerchantApi, api_error
from driver_sim.urls import is_local
from tracker.domain.order import StopKind
from tracker.domain.proof import ProofKind
from tracker.messages import AssignedOrder, WireStopRequirements

TIMEOUT_S: Final = 20.0

type Part = tuple[str | None, bytes | str]  # of a form: the name of a file, and its content


class _Snapshot(msgspec.Struct, frozen=True):
    pin: str | None = None


class Proofs:
    """The proofs of one courier's orders."""

    def __init__(
        self, api: MerchantApi, token: str, *, is_own: Callable[[AssignedOrder], bool], on_error: OnError
    ) -> None:
        """Send with the driver's *token*. For orders that are *is_own*, the simulator plays the customer."""
        self._api, self._token, self._is_own, self._on_error = api, token, is_own, on_error

    async def give(self, order: AssignedOrder, stop: StopKind) -> None:
        """Send what the stop needs and the service has not got. Raises ApiError, NoPin."""
        for kind in _kinds(order.missing_proofs.pickup if stop == "pickup" else order.missing_proofs.dropoff):
            form: dict[str, Part] = {"kind": (None, kind), "stop": (None, stop)}
            form |= await self._content(order, stop, kind)
            await self._send(order.id, form)

    async def _content(self, order: AssignedOrder, stop: StopKind, kind: ProofKind) -> dict[str, Part]:
        match kind:
            case "photo":
                return {"file": ("photo.jpg", photo(order.id))}
            case "signature":
                return {"file": ("signature.png", signature(order.id))}
            case "barcode":
                return {"value": (None, await self._barcode(order, stop))}
            case "pin":
                return {"value": (None, await self._pin(order))}

    async def _barcode(self, order: AssignedOrder, stop: StopKind) -> str:
        """Return the text that the parcel's label would have."""
        stored = await retry_while_unavailable(lambda: self._api.order(order.id), self._on_error)
        return str(stored.requirements[stop]["barcode"])

    async def _pin(self, order: AssignedOrder) -> str:
        """Return the PIN that the customer reads on the page. Raises NoPin if a person is the customer."""
        if not self._is_own(order):
            raise NoPin("The order needs the PIN of a customer whom the simulator does not play")
        stored = await retry_while_unavailable(lambda: self._api.order(order.id), self._on_error)
        path = f"/v1/track/{stored.tracking_url.rsplit('/', 1)[1]}"
        content = await self._request("GET", path, {})
        if (pin := msgspec.json.decode(content, type=_Snapshot).pin) is None:
            raise NoPin("The customer's page shows no PIN")
        return pin

    async def _send(self, order_id: str, form: dict[str, Part]) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": uuid4().hex}
        await self._request("POST", f"/v1/orders/{order_id}/proofs", headers, form)

    async def _request(
        self, method: str, path: str, headers: dict[str, str], form: dict[str, Part] | None = None
    ) -> bytes:
        """Send a request, again while the service is unavailable. Raises ApiError."""
        url = self._api.url

        async def once() -> bytes:
            try:
                async with httpx.AsyncClient(
                    timeout=TIMEOUT_S, trust_env=not is_local(url), verify=ssl.create_default_context()
                ) as http:
                    response = await http.request(method, url + path, headers=headers, files=form)
            except httpx.HTTPError as error:
                raise ApiError(0, f"No response from {url}", str(error) or type(error).__name__) from error
            if not response.is_success:
                raise api_error(response)
            return response.content

        return await retry_while_unavailable(once, self._on_error)


def _kinds(missing: WireStopRequirements | msgspec.UnsetType) -> Iterator[ProofKind]:
    if isinstance(missing, WireStopRequirements):
        needed: dict[ProofKind, bool] = {
            "photo": missing.photo,
            "signature": missing.signature,
            "barcode": missing.barcode,
            "pin": missing.pin,
        }
        yield from (kind for kind, is_needed in needed.items() if is_needed)
