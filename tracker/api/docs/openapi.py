"""`/openapi.json`: the HTTP API, described by the code that serves it.

Paths, methods, scopes and summaries come from the routes, `require_scope` and docstrings; schemas come from
the types that validate bodies and query strings. `endpoint` adds what the code of a view does not show.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, cast

from quart import Blueprint, Quart, Response, current_app
from werkzeug.routing import Rule

from tracker.api.auth import SECURE_COOKIE, View
from tracker.api.client_info import base_url
from tracker.api.describe import JSON, MULTIPART, EndpointSpec, endpoint, spec_of
from tracker.api.docs.event_call import receive_event
from tracker.api.docs.examples import (
    CREATED_EXAMPLES,
    EXAMPLES,
    MEDIA_EXAMPLES,
    PATH_PARAMETERS,
    QUERY_EXAMPLES,
    problem_example,
)
from tracker.api.docs.header_fields import RETRY_AFTER, SUBPROTOCOL, request_headers, response_headers
from tracker.api.docs.schemas import properties_of, schemas_of
from tracker.api.errors import PROBLEM_JSON, Problem, problem_of
from tracker.api.json_bodies import answer
from tracker.errors import (
    AnswerErased,
    Forbidden,
    IdempotencyMismatch,
    InvalidFields,
    NotFound,
    RateLimited,
    StaleVersion,
    StorageUnavailable,
    TooLarge,
    TrackerError,
    Unauthenticated,
    Unparsable,
)
from tracker.messages.events import WireEvent
from tracker.messages.problems import ProblemDetails

DESCRIPTION: Final = """Real-time delivery tracking: drivers stream positions, customers watch their order.

Times are RFC 3339 in UTC, distances metres, speeds metres per second, angles degrees clockwise from north.
Errors are `application/problem+json` (RFC 9457). Lists come in pages: send `next` back as `cursor`.
A write that creates something takes an `Idempotency-Key`; its response is kept for 24 hours."""

PUBLISHED: Final = (
    "/v1/",
    "/ingest/",
    "/api/v1/",
    "/livez",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/asyncapi.json",
)
TAGS: Final[Mapping[str, str]] = {  # in the sequence of the document
    "Orders": "Create and assign orders and set their status; their tracking links, history and forecasts.",
    "Drivers": "Create and change drivers and set their stops; receive positions from their devices.",
    "Phone apps": "Receive positions from existing apps and devices, in their own formats.",
    "Tracking": "Customers watch one order with the token of its link alone; the brand of their page.",
    "Events": "What happened to orders and drivers, as a list, a stream and webhooks.",
    "Map": "Addresses and routes on the map, for programs that place orders or couriers on it.",
    "Dispatch": "Browsers of dispatchers log in and watch the whole fleet; accuracy of the forecasts.",
    "Operations": "State of this node, and descriptions of the API.",
}
TAG_OF_PATH: Final = {
    "/v1/orders": "Orders",
    "/v1/drivers": "Drivers",
    "/ingest": "Phone apps",
    "/api/v1": "Phone apps",
    "/v1/track": "Tracking",
    "/v1/brand": "Tracking",
    "/v1/events": "Events",
    "/v1/webhooks": "Events",
    "/v1/session": "Dispatch",
    "/v1/fleet": "Dispatch",
    "/v1/audit": "Dispatch",
    "/v1/map": "Map",
    "/v1/routes": "Map",
    "/v1/reports": "Dispatch",
}
SECURITY: Final = {
    "api_key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key with the scope that the operation names.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SECURE_COOKIE,
        "description": "The cookie of a browser that is logged in, see `POST /v1/session`. Over plain HTTP "
        "on a loopback address its name is `tracker_session`. A change or socket needs the service's own "
        "`Origin`.",
    },
    "driver_token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of one driver, from `POST /v1/drivers`.",
    },
}
blueprint = Blueprint("openapi", __name__)


type Schemas = Mapping[Any, dict[str, Any]]


@blueprint.get("/openapi.json")
@endpoint(answer=dict[str, Any])
async def openapi_json() -> Response:
    """Describe the HTTP interface as OpenAPI 3.1."""
    app = current_app
    if "openapi" not in app.extensions:
        app.extensions["openapi"] = describe(app)
    return answer(app.extensions["openapi"] | {"servers": [{"url": base_url()}]})


def describe(app: Quart) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of an app."""
    routes = list(_routes(app))
    schemas, components = _schemas([spec_of(view) for _, view in routes])
    paths: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    for rule, view in routes:
        operations = paths.setdefault(re.sub(r"<(?:[\w()]+:)?(\w+)>", r"{\1}", rule.rule), {})
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"} or {"GET"}):
            operation = operations[method.lower()] = _operation(rule, view, schemas)
            if operation["operationId"] in names:  # a view with two paths
                operation["operationId"] += "_by_" + "_and_".join(sorted(rule.arguments))
            names.add(operation["operationId"])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tracker", "version": version("order-tracker"), "description": DESCRIPTION},
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": paths,
        "webhooks": {"event": {"post": receive_event(schemas[WireEvent])}},
        "components": {"schemas": components, "securitySchemes": SECURITY},
    }


def _routes(app: Quart) -> Iterator[tuple[Rule, View]]:
    """Yield the published routes, sorted by path."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.rule.startswith(PUBLISHED):
            yield rule, cast("View", app.view_functions[rule.endpoint])


def _schemas(spec: list[EndpointSpec]) -> tuple[Schemas, dict[str, Any]]:
    """Return the schema of each request and response type, and the components that these refer to."""
    types = [
        type_
        for one in spec
        for type_ in (one.body, one.form, *_each(one.answer), *one.others.values())
        if type_ is not None
    ]
    return schemas_of([*types, WireEvent, ProblemDetails])


def _operation(rule: Rule, view: View, schemas: Schemas) -> dict[str, Any]:
    spec, scope = spec_of(view), getattr(view, "needed_scope", None)
    summary, _, rest = inspect.cleandoc(view.__doc__ or "").partition("\n")
    tags = [tag for path, tag in TAG_OF_PATH.items() if rule.rule.startswith(path)]
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.rpartition(".")[2],
        "tags": tags[:1] or ["Operations"],
        "summary": summary,
        "description": "\n\n".join(
            filter(None, [rest.strip(), _credential_note(spec, scope), _websocket_note(rule)])
        ),
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, **PATH_PARAMETERS[name]}
                for name in sorted(rule.arguments)
            ),
            *_query_parameters(spec),
        ],
        "responses": dict(_responses(rule, spec, scope, schemas)),
    }
    if scope is not None or spec.by_driver:
        operation["security"] = (
            [{"driver_token": []}] if spec.by_driver else [{"api_key": []}, {"session": []}]
        )
    if spec.body is not None:
        content = {"schema": schemas[spec.body], "example": EXAMPLES[spec.body]}
        operation["requestBody"] = {"required": True, "content": {JSON: content}}
    if spec.form is not None:
        content = {"schema": schemas[spec.form], "example": EXAMPLES[spec.form]}
        operation["requestBody"] = {"required": True, "content": {MULTIPART: content}}
    return operation


def _credential_note(spec: EndpointSpec, scope: str | None) -> str:
    if spec.by_driver:
        return "Needs the driver's token."
    return "" if scope is None else f"Needs an API key with the scope `{scope}`."


def _websocket_note(rule: Rule) -> str:
    return (
        "A WebSocket: request the upgrade, then exchange messages in both directions."
        if rule.websocket
        else ""
    )


def _query_parameters(spec: EndpointSpec) -> Iterator[dict[str, Any]]:
    if spec.query is not None:
        schema = properties_of(spec.query)
        for name, field in schema["properties"].items():
            parameter = {"name": name, "in": "query", "required": name in schema.get("required", ())}
            example = {"example": QUERY_EXAMPLES[name]} if name in QUERY_EXAMPLES else {}
            yield {**parameter, "description": field.pop("description"), "schema": field, **example}
    yield from request_headers(spec)


def _responses(
    rule: Rule, spec: EndpointSpec, scope: str | None, schemas: Schemas
) -> Iterator[tuple[str, Any]]:
    if rule.websocket:
        yield "101", {"description": "Switching protocols", "headers": SUBPROTOCOL}
    else:
        yield str(spec.status), _success(spec, schemas) | response_headers(spec, scope)
    for status, type_ in spec.others.items():
        yield str(status), _answer(status, type_, schemas)
    problems: dict[int, list[Problem]] = {}
    for kind in _possible_errors(rule, spec, scope):
        problems.setdefault(problem_of(kind).status, []).append(problem_of(kind))
    for status, group in sorted(problems.items()):
        yield str(status), _problem_response(list(dict.fromkeys(group)), schemas)


def _problem_response(problems: list[Problem], schemas: Schemas) -> dict[str, Any]:
    """Return the response of one status: its problems, and an example of each."""
    examples = {problem.code: {"value": problem_example(problem)} for problem in problems}
    response = {
        "description": "\n\n".join(f"`{problem.code}`: {problem.meaning}" for problem in problems),
        "content": {PROBLEM_JSON: {"schema": schemas[ProblemDetails], "examples": examples}},
    }
    comes_back = problems[0].status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    return response | ({"headers": RETRY_AFTER} if comes_back else {})


def _success(spec: EndpointSpec, schemas: Schemas) -> dict[str, Any]:
    success = _answer(spec.status, spec.answer, schemas)
    others = {media: MEDIA_EXAMPLES[media] for media in spec.media if media != JSON}
    if others:
        success["content"] = others | success.get("content", {})
    return success


def _answer(status: int, type_: Any, schemas: Schemas) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    match _each(type_):
        case (None,):
            return answer
        case (one,):
            example = CREATED_EXAMPLES.get(one) if status == HTTPStatus.CREATED else None
            content = {"schema": schemas[one], "example": example or EXAMPLES[one]}
        case several:
            examples = {each.__name__: {"value": EXAMPLES[each]} for each in several}
            content = {"schema": {"anyOf": [schemas[each] for each in several]}, "examples": examples}
    return answer | {"content": {JSON: content}}


def _each(type_: Any) -> tuple[Any, ...]:
    return type_ if isinstance(type_, tuple) else (type_,)


def _possible_errors(rule: Rule, spec: EndpointSpec, scope: str | None) -> Iterator[type[TrackerError]]:
    """Yield the errors that the specification of a view implies."""
    yield from spec.raises
    if scope is not None:
        yield from (Unauthenticated, Forbidden, RateLimited, StorageUnavailable)
    if spec.by_driver:
        yield from (Unauthenticated, RateLimited, StorageUnavailable)
    if "token" in rule.arguments:  # of a tracking link: unknown tokens are limited
        yield from (RateLimited, StorageUnavailable)
    if rule.arguments - {"driver_token"}:
        yield NotFound
    if (spec.body is not None or spec.form is not None) and not spec.lenient:
        yield from (Unparsable, InvalidFields, TooLarge)
    if spec.query is not None and not spec.lenient:
        yield InvalidFields
    if spec.creates:
        yield from (IdempotencyMismatch, AnswerErased, InvalidFields)
    if spec.versioned:
        yield StaleVersion
