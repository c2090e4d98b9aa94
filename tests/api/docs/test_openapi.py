"""The description is whole, and true of the code that it describes."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from quart import Quart

from tests.service import Service
from tracker.api.describe import endpoint, spec_of
from tracker.api.docs import swagger_ui
from tracker.api.docs.examples import EXAMPLES
from tracker.api.docs.openapi import describe
from tracker.api.json_bodies import RequestBody, parse
from tracker.api.merchant import drivers, history, links, map, orders
from tracker.api.merchant.map import RouteRequest
from tracker.api.tracking import page
from tracker.api.tracking import stream as tracking_stream
from tracker.app import ENDPOINTS
from tracker.messages.problems import ProblemDetails

PUBLISHED = tuple(one for one in ENDPOINTS if one not in (page, swagger_ui))
NOT_PLAIN = re.compile(r"^(Wire|Given)|(Answer|Body)$|_")  # what classes are called, not what clients know


@pytest.fixture(scope="module")
def whole() -> Any:
    """The document, made without a service."""
    app = Quart(__name__)
    for module in PUBLISHED:
        app.register_blueprint(module.blueprint)
    return msgspec.json.decode(msgspec.json.encode(describe(app)))


def operations(whole: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def contents(operation: Any) -> Iterator[Any]:
    """Each form of its request and of its answers."""
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for response in operation["responses"].values():
        yield from response.get("content", {}).values()


async def document(service: Service) -> Any:
    return (await service.http.get("/openapi.json", headers={"Authorization": ""})).json()


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (value["$ref"],) if "$ref" in value else ()
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


async def test_every_call_of_the_interface_is_described(service: Service) -> None:
    """With its path, method and the status of its success."""
    paths = (await document(service))["paths"]
    calls = {
        ("post", "/v1/drivers"): "201",
        ("get", "/v1/drivers"): "200",
        ("get", "/v1/drivers/{driver_id}"): "200",
        ("post", "/v1/drivers/{driver_id}/token"): "200",
        ("delete", "/v1/drivers/{driver_id}"): "204",
        ("put", "/v1/drivers/{driver_id}/stops"): "200",
        ("post", "/v1/orders"): "201",
        ("get", "/v1/orders"): "200",
        ("get", "/v1/orders/{order_id}"): "200",
        ("patch", "/v1/orders/{order_id}"): "200",
        ("post", "/v1/orders/{order_id}/assign"): "200",
        ("post", "/v1/orders/{order_id}/status"): "200",
        ("post", "/v1/orders/{order_id}/links"): "201",
        ("get", "/v1/orders/{order_id}/links"): "200",
        ("delete", "/v1/orders/{order_id}/links/{link_id}"): "204",
        ("get", "/v1/orders/{order_id}/eta"): "200",
        ("get", "/v1/orders/{order_id}/history"): "200",
        ("get", "/v1/orders/{order_id}/track"): "200",
        ("get", "/v1/drivers/stream"): "101",
        ("get", "/v1/track/{token}/stream"): "101",
    }
    for (method, path), status in calls.items():
        assert status in paths[path][method]["responses"], (method, path)


async def test_the_description_refers_to_nothing_that_is_missing(service: Service) -> None:
    """Every reference leads to a schema, each operation has a name of its own, a summary and its tag."""
    whole = await document(service)
    assert whole["openapi"].startswith("3.1")
    for reference in references(whole):
        assert reference.removeprefix("#/components/schemas/") in whole["components"]["schemas"]
    operations = [operation for path in whole["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all(operation["summary"] for operation in operations)
    tags = {tag["name"] for tag in whole["tags"]}
    assert {tag for operation in operations for tag in operation["tags"]} <= tags


def test_a_view_is_described_by_what_it_really_takes() -> None:
    """The types said of a view are those that its code checks its body and its query string against."""
    app = Quart(__name__)
    for module in (drivers, history, links, map, orders, tracking_stream):
        app.register_blueprint(module.blueprint)
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/v1/"):
            view = app.view_functions[rule.endpoint]
            source, said = inspect.getsource(inspect.unwrap(view)), spec_of(view)  # type: ignore[arg-type]
            taken = re.findall(r"\bawait body\((\w+)", source), re.findall(r"\bquery\((\w+)\)", source)
            assert taken[0] == ([said.body.__name__] if said.body else []), rule.endpoint
            assert taken[1] == ([said.query.__name__] if said.query else []), rule.endpoint
            assert ("await create_once(" in source) == said.creates, rule.endpoint


def test_what_is_said_must_be_known() -> None:
    """A misspelt word of a description fails where it is written."""
    try:
        endpoint(boddy=int)
    except TypeError as error:
        assert "boddy" in str(error)
    else:
        raise AssertionError("a misspelt word was taken")


async def test_the_service_gives_this_document(service: Service, whole: Any) -> None:
    """What the tests below look at is what programs get, so no published endpoint is missing from it."""
    assert await document(service) == whole | {"servers": [{"url": service.url}]}


def test_every_property_and_parameter_has_a_description(whole: Any) -> None:
    """Also the tags of messages and what one class takes from another."""
    bare = [
        f"{name}.{property_}"
        for name, schema in whole["components"]["schemas"].items()
        for property_, said in schema.get("properties", {}).items()
        if not said.get("description")
    ]
    bare += [
        f"{name} {parameter['name']}"
        for name, operation in operations(whole)
        for parameter in operation["parameters"]
        if not parameter.get("description")
    ]
    assert bare == []


def test_every_operation_shows_what_goes_in_and_out(whole: Any) -> None:
    """Each form of a request and of an answer has an example, and each value of a path."""
    without = [
        name
        for name, operation in operations(whole)
        for shown in (
            *contents(operation),
            *(parameter for parameter in operation["parameters"] if parameter["in"] == "path"),
            *operation["responses"].get("101", {}).get("headers", {}).values(),
        )
        if not shown.keys() & {"example", "examples"} or "schema" not in shown
    ]
    assert without == []
    assert [name for name, operation in operations(whole) if "example" not in str(operation)] == []


@pytest.mark.parametrize("type_", [type_ for type_ in EXAMPLES], ids=str)
def test_an_example_is_what_its_schema_says(type_: Any) -> None:
    """Requests pass the checks of the service; answers have every field."""
    example = EXAMPLES[type_]
    assert parse(msgspec.json.encode(example), type_) is not None
    if isinstance(type_, type) and not issubclass(type_, RequestBody | RouteRequest):
        assert msgspec.to_builtins(msgspec.convert(example, type_)) == example


def test_bodies_are_required(whole: Any) -> None:
    """Every one of them."""
    bodies = [operation["requestBody"] for _, operation in operations(whole) if "requestBody" in operation]
    assert len(bodies) > 8
    assert all(body["required"] for body in bodies)


def test_every_operation_says_how_it_can_refuse(whole: Any) -> None:
    """401 and 429 where a key or token is asked for, 503 where the database is; each a problem."""
    for name, operation in operations(whole):
        statuses = operation["responses"].keys()
        if operation.get("security"):
            assert statuses >= {"401", "429", "503"}, name
        if "/v1/" in name:
            assert statuses >= {"429", "503"}, name
        for status in statuses & {"401", "403", "404", "409", "413", "422", "429"}:
            response = operation["responses"][status]
            (content,) = response["content"].values()
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, name
            for example in content["examples"].values():
                assert msgspec.convert(example["value"], ProblemDetails).status == int(status)
            assert ("Retry-After" in response.get("headers", {})) == (status == "429"), name
    assert "304" in whole["paths"]["/v1/orders/{order_id}/track"]["get"]["responses"]


def test_drivers_and_merchants_have_credentials_of_their_own(whole: Any) -> None:
    """The driver's token is a scheme beside the API key; the token of a link is in its path."""
    assert whole["components"]["securitySchemes"].keys() == {"api_key", "driver_token", "session"}
    by_driver = {
        name for name, operation in operations(whole) if {"driver_token": []} in operation.get("security", [])
    }
    own = {f"get /v1/drivers/me{path}" for path in ("", "/track.{form}", "/openings")}
    proofs = "post /v1/orders/{order_id}/proofs"
    apps = {name for name in by_driver if re.search(r" /(ingest|api/v1/overland)/", name)}
    assert len(apps) == 7
    assert by_driver - apps == {"post /v1/drivers/fixes", "get /v1/drivers/stream", proofs, *own}


def test_answers_have_enums_and_formats(whole: Any) -> None:
    """So that clients read times as times, and know every status."""
    schemas = whole["components"]["schemas"]
    order = schemas["Order"]["properties"]
    assert schemas["OrderStatus"]["enum"] == [
        "assigned",
        "cancelled",
        "created",
        "delivered",
        "failed",
        "picked_up",
    ]
    assert order["created_at"]["format"] == "date-time"
    assert order["tracking_url"]["anyOf"][0]["format"] == "uri"
    assert set(schemas["Driver"]["properties"]["vehicle"]["enum"]) == {"car", "bicycle", "scooter", "foot"}
    times = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, said in schema.get("properties", {}).items()
        if (field.endswith("_at") or field in {"now", "from", "to", "at", "earliest", "latest"})
        and "date-time" not in str(said)
    ]
    assert sorted(times) == ["NoteToCustomer.from", "TimelineEntry.from"]  # senders


def test_names_are_plain(whole: Any) -> None:
    """`Order` and not `OrderAnswer`; few tags, all of them used."""
    names = whole["components"]["schemas"].keys()
    assert [name for name in names if NOT_PLAIN.search(name)] == []
    assert names >= {"Order", "OrderPage", "Eta", "Stop", "Driver", "DriverPage", "Link", "Problem"}
    used = {tag for _, operation in operations(whole) for tag in operation["tags"]}
    assert used == {tag["name"] for tag in whole["tags"]}
    assert len(used) <= 8
