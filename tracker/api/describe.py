"""Describe an endpoint: what the OpenAPI document says of a view and its code does not say by itself."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from tracker.api.auth import View
from tracker.errors import TrackerError

JSON: Final = "application/json"


class EndpointSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the code of a view does not say by itself."""

    body: Any = None  # the type of its JSON body
    query: Any = None  # the Struct of its query string
    answer: Any = None  # the type of its JSON answer, or several in a tuple
    status: int = 200
    media: tuple[str, ...] = (JSON,)  # of the answer
    raises: tuple[type[TrackerError], ...] = ()  # beside what scope, body and query make possible
    others: Mapping[int, Any] = {}  # other statuses, and the types of their JSON answers; None: no content
    by_driver: bool = False  # the driver's token opens it
    creates: bool = False  # takes an Idempotency-Key


NO_SPEC: Final = EndpointSpec()


def endpoint(**spec: Any) -> Callable[[View], View]:
    """Says of a view what `Described` holds."""
    description = EndpointSpec(**spec)

    def decorate(view: View) -> View:
        view.endpoint_spec = description  # type: ignore[attr-defined]
        return view

    return decorate


def spec_of(view: View) -> EndpointSpec:
    spec: EndpointSpec = getattr(view, "endpoint_spec", NO_SPEC)
    return spec
