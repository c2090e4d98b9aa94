"""Endpoint specifications: what the OpenAPI document needs and cannot derive from the code of a view."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from tracker.api.auth import View
from tracker.errors import TrackerError

JSON: Final = "application/json"
MULTIPART: Final = "multipart/form-data"


class EndpointSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the code of a view does not show."""

    body: Any = None  # type of its JSON body
    form: Any = None  # Struct of its multipart form
    query: Any = None  # Struct of its query string
    answer: Any = None  # type of its JSON response, or a tuple of several
    status: int = 200
    media: tuple[str, ...] = (JSON,)  # media types of the response
    raises: tuple[type[TrackerError], ...] = ()  # besides the errors that scope, body and query imply
    others: Mapping[int, Any] = {}  # by further status: type of the JSON response; None: no content
    by_driver: bool = False  # requires the driver's token
    lenient: bool = False  # wrong values are ignored and counted
    creates: bool = False  # accepts an Idempotency-Key
    personal: bool = False  # answers with personal data, so the look-up is audited
    versioned: bool = False  # accepts If-Match with versions of an order


NO_SPEC: Final = EndpointSpec()


def endpoint(**spec: Any) -> Callable[[View], View]:
    """Attach an EndpointSpec with these fields to a view."""
    description = EndpointSpec(**spec)

    def decorate(view: View) -> View:
        view.endpoint_spec = description  # type: ignore[attr-defined]
        return view

    return decorate


def spec_of(view: View) -> EndpointSpec:
    spec: EndpointSpec = getattr(view, "endpoint_spec", NO_SPEC)
    return spec
