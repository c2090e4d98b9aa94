"""`/openapi.json`: the HTTP API described by the code that serves it.

Paths, methods, scopes and words come from the routes, `needs` and docstrings; schemas from the very types
that bodies and query strings are checked against. `described` adds what a view does not say by itself.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, cast

import msgspec
from quart import Blueprint, Quart, Response, current_app
from werkzeug.routing import Rule

from tracker.api.access import View
from tracker.api.bodies import answer
from tracker.api.errors import PROBLEM_JSON, ProblemDetails, problem_of
from tracker.errors import (
    Forbidden,
    IdempotencyMismatch,
    InvalidFields,
    NotFound,
    StorageUnavailable,
    TooLarge,
    TrackerError,
    Unauthenticated,
    Unparsable,
)

DESCRIPTION: Final = """Real-time delivery tracking: drivers stream positions, customers watch their order.

Times are RFC 3339 in UTC, distances metres, speeds metres per second, angles degrees clockwise from north.
Errors are `application/problem+json` (RFC 9457). Lists come in pages: send `next` back as `cursor`.
A write that creates something takes an `Idempotency-Key`; its answer is kept for 24 hours."""

JSON: Final = "application/json"
PUBLISHED: Final = ("/v1/", "/livez", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json")
TAGS: Final[Mapping[str, str]] = {  # rooms in the sequence in which a reader wants them
    "orders": "What is delivered.",
    "drivers": "Who moves.",
    "links": "Tracking links, which customers open.",
    "history": "What happened to an order, and the way it took.",
    "forecasts": "What was foretold, and how wrong it was.",
    "driver stream": "Drivers send positions, over a WebSocket or HTTP.",
    "tracking stream": "Customers watch one order, with the token of its link and nothing else.",
    "tracking events": "The same as server-sent events.",
    "tracking poll": "The same as long polling, and as one snapshot.",
    "tracking notes": "Customers write to the driver.",
    "map": "What the map holds, for programs that place orders or couriers on it.",
    "control": "How this node is.",
    "openapi": "This description.",
    "asyncapi": "What is said on the WebSockets.",
}
IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same body gives the same answer, with another body 409.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

blueprint = Blueprint("openapi", __name__)


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What the code of a view does not say by itself."""

    body: Any = None  # the type of its JSON body
    query: Any = None  # the Struct of its query string
    answer: Any = None  # the type of its JSON answer
    status: int = 200
    media: tuple[str, ...] = (JSON,)  # of the answer
    raises: tuple[type[TrackerError], ...] = ()  # beside what scope, body and query make possible
    creates: bool = False  # takes an Idempotency-Key


NOTHING_SAID: Final = Described()

type Schemas = Mapping[Any, dict[str, Any]]


def described(**said: Any) -> Callable[[View], View]:
    """Says of a view what `Described` holds."""
    description = Described(**said)

    def decorate(view: View) -> View:
        view.described = description  # type: ignore[attr-defined]
        return view

    return decorate


def said_of(view: View) -> Described:
    said: Described = getattr(view, "described", NOTHING_SAID)
    return said


@blueprint.get("/openapi.json")
async def openapi_json() -> Response:
    """This description, as OpenAPI 3.1."""
    app = current_app
    if "openapi" not in app.extensions:
        app.extensions["openapi"] = describe(app)
    return answer(app.extensions["openapi"])


def describe(app: Quart) -> dict[str, Any]:
    """The OpenAPI 3.1 document of an app."""
    routes = list(_routes(app))
    schemas, components = _schemas([said_of(view) for _, view in routes])
    paths: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    for rule, view in routes:
        operations = paths.setdefault(re.sub(r"<(?:[\w()]+:)?(\w+)>", r"{\1}", rule.rule), {})
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"} or {"GET"}):
            operation = operations[method.lower()] = _operation(rule, view, schemas)
            if operation["operationId"] in names:  # a view with two addresses
                operation["operationId"] += "_by_" + "_and_".join(sorted(rule.arguments))
            names.add(operation["operationId"])
    api_key = {"type": "http", "scheme": "bearer", "description": "An API key with the scope that is named."}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tracker", "version": version("order-tracker"), "description": DESCRIPTION},
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"api_key": api_key}},
    }


def _routes(app: Quart) -> Iterator[tuple[Rule, View]]:
    """What is for programs, by path."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.rule.startswith(PUBLISHED):
            yield rule, cast("View", app.view_functions[rule.endpoint])


def _schemas(said: list[Described]) -> tuple[Schemas, dict[str, Any]]:
    """The schema of each type that is taken or given, and the named ones that these refer to."""
    types = [type_ for one in said for type_ in (one.body, one.answer) if type_ is not None]
    unique: list[Any] = list(dict.fromkeys([*types, ProblemDetails]))
    found, components = msgspec.json.schema_components(unique, ref_template="#/components/schemas/{name}")
    return dict(zip(unique, found, strict=True)), components


def _operation(rule: Rule, view: View, schemas: Schemas) -> dict[str, Any]:
    said, scope = said_of(view), getattr(view, "needed_scope", None)
    room, _, name = rule.endpoint.rpartition(".")
    summary, _, rest = inspect.cleandoc(view.__doc__ or "").partition("\n")
    operation: dict[str, Any] = {
        "operationId": name,
        "tags": [room.replace("_", " ")],
        "summary": summary,
        "description": "\n\n".join(filter(None, [rest.strip(), _scope_words(scope), _socket_words(rule)])),
        "parameters": [*_path_parameters(rule), *_query_parameters(said)],
        "responses": dict(_responses(rule, said, scope, schemas)),
    }
    if scope is not None:
        operation["security"] = [{"api_key": []}]
    if said.body is not None:
        operation["requestBody"] = {"content": {JSON: {"schema": schemas[said.body]}}}
    return operation


def _scope_words(scope: str | None) -> str:
    return "" if scope is None else f"Needs an API key with the scope `{scope}`."


def _socket_words(rule: Rule) -> str:
    return "A WebSocket: ask for the upgrade; then messages go both ways." if rule.websocket else ""


def _path_parameters(rule: Rule) -> Iterator[dict[str, Any]]:
    for name in sorted(rule.arguments):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(said: Described) -> Iterator[dict[str, Any]]:
    if said.query is not None:
        schema = _flat_schema(said.query)
        for name, field in schema.get("properties", {}).items():
            required = name in schema.get("required", ())
            yield {"name": name, "in": "query", "required": required, "schema": field}
    if said.creates:
        yield IDEMPOTENCY_KEY


def _flat_schema(type_: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of a Struct itself, not a reference to it."""
    _, components = msgspec.json.schema_components([type_], ref_template="{name}")
    schema: dict[str, Any] = components[type_.__name__]
    return schema


def _responses(rule: Rule, said: Described, scope: str | None, schemas: Schemas) -> Iterator[tuple[str, Any]]:
    if rule.websocket:
        yield "101", {"description": "Switching protocols"}
    else:
        yield str(said.status), _success(said, schemas)
    problems: dict[int, list[str]] = {}
    for kind in _refusals(rule, said, scope):
        problem = problem_of(kind)
        problems.setdefault(problem.status, []).append(f"`{problem.word}`: {problem.meaning}")
    for status, words in sorted(problems.items()):
        content = {PROBLEM_JSON: {"schema": schemas[ProblemDetails]}}
        yield str(status), {"description": "\n\n".join(dict.fromkeys(words)), "content": content}


def _success(said: Described, schemas: Schemas) -> dict[str, Any]:
    success: dict[str, Any] = {"description": HTTPStatus(said.status).phrase}
    if said.answer is not None:
        success["content"] = {media: {"schema": schemas[said.answer]} for media in said.media}
    elif said.media != (JSON,):
        success["content"] = {media: {} for media in said.media}
    return success


def _refusals(rule: Rule, said: Described, scope: str | None) -> Iterator[type[TrackerError]]:
    """What can go wrong, by what the view asks for."""
    yield from said.raises
    if scope is not None:
        yield from (Unauthenticated, Forbidden, StorageUnavailable)
    if rule.arguments:
        yield NotFound
    if said.body is not None:
        yield from (Unparsable, InvalidFields, TooLarge)
    if said.query is not None:
        yield InvalidFields
    if said.creates:
        yield IdempotencyMismatch
