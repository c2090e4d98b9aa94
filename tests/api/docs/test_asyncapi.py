"""The description of the WebSockets is whole, and of the messages that are really said."""

from typing import Any

import pytest

from tests.api.docs.test_openapi import references
from tests.messages.test_messages import SAMPLES
from tests.service import Service


@pytest.fixture
async def document(service: Service) -> Any:
    return (await service.http.get("/asyncapi.json", headers={"Authorization": ""})).json()


def found(document: Any, reference: str) -> Any:
    """What a reference leads to; KeyError where there is nothing."""
    here = document
    for name in reference.removeprefix("#/").split("/"):
        here = here[name]
    return here


async def test_every_reference_leads_somewhere(document: Any) -> None:
    """To a channel, a message or a schema."""
    assert document["asyncapi"].startswith("3.")
    for reference in references(document):
        assert found(document, reference)


async def test_each_side_of_each_socket_says_what_there_are_samples_of(document: Any) -> None:
    """The messages described of each side are those that the samples show, both ways."""
    described = {
        (name, document["components"]["messages"][message["$ref"].rsplit("/", 1)[1]]["name"])
        for name, operation in document["operations"].items()
        for message in operation["messages"]
    }
    sides = {
        "from_driver": "driver_says",
        "to_driver": "driver_hears",
        "from_customer": "customer_says",
        "to_customer": "customer_hears",
        "from_dispatcher": "dispatcher_says",
        "to_dispatcher": "dispatcher_hears",
    }
    assert described == {(sides[side], kind) for side, kind, *_ in (path.name.split(".") for path in SAMPLES)}


async def test_sockets_are_where_the_description_says(service: Service, document: Any) -> None:
    """Its channels are the WebSocket endpoints of the other description."""
    paths = (await service.get("/openapi.json"))["paths"]
    sockets = {path for path, said in paths.items() if "101" in said.get("get", {}).get("responses", {})}
    assert {channel["address"] for channel in document["channels"].values()} == sockets


async def test_every_field_of_a_message_has_a_description(document: Any) -> None:
    """Under the same names as in the other description."""
    schemas = document["components"]["schemas"]
    bare = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, said in schema.get("properties", {}).items()
        if not said.get("description")
    ]
    assert bare == []
    assert schemas.keys() >= {"Snapshot", "Eta", "Stop", "Fix"}
