"""The description is whole, and true of the code that it describes."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from quart import Quart

from tests.service import Service
from tracker.api import drivers, history, links, map, orders, tracking_stream
from tracker.api.openapi import described, said_of


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
    for room in (drivers, history, links, map, orders, tracking_stream):
        app.register_blueprint(room.blueprint)
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/v1/"):
            view = app.view_functions[rule.endpoint]
            source, said = inspect.getsource(inspect.unwrap(view)), said_of(view)  # type: ignore[arg-type]
            taken = re.findall(r"\bawait body\((\w+)", source), re.findall(r"\bquery\((\w+)\)", source)
            assert taken[0] == ([said.body.__name__] if said.body else []), rule.endpoint
            assert taken[1] == ([said.query.__name__] if said.query else []), rule.endpoint
            assert ("await once(" in source) == said.creates, rule.endpoint


def test_what_is_said_must_be_known() -> None:
    """A misspelt word of a description fails where it is written."""
    try:
        described(boddy=int)
    except TypeError as error:
        assert "boddy" in str(error)
    else:
        raise AssertionError("a misspelt word was taken")
