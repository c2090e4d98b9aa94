"""`/asyncapi.json`: the messages of the WebSockets, described by the types that encode and decode them."""

from collections.abc import Mapping
from importlib.metadata import version
from inspect import cleandoc
from typing import Any, Final, get_args
from urllib.parse import urlsplit

import msgspec
from quart import Blueprint, Response

from tracker.api.client_info import base_url
from tracker.api.describe import endpoint
from tracker.api.docs.schemas import schemas_of
from tracker.api.json_bodies import answer
from tracker.messages import FromCustomer, FromDriver, ToCustomer, ToDriver
from tracker.messages.dispatchers import FromDispatcher, ToDispatcher

DESCRIPTION: Final = """Messages of drivers, customers and dispatchers on WebSockets: JSON in text frames.

With the subprotocol `tracker.v1.msgpack` binary frames hold the same as MessagePack. Unknown fields are
ignored. Close codes tell the client what to do: 1000: done; 1001 and 1012: reconnect after a random time of
up to 15 s, or after the `retry_s` seconds in the reason of 1012; 40xx: do not reconnect unchanged; 41xx: back
off with full jitter, then reconnect."""


class Channel(msgspec.Struct, frozen=True):
    """A WebSocket endpoint and the messages in both directions."""

    address: str
    description: str
    received: Any  # by the server
    sent: Any
    parameters: Mapping[str, str] = {}


CHANNELS: Final[Mapping[str, Channel]] = {
    "driver": Channel(
        "/v1/drivers/stream",
        "Drivers stream positions. Send the token as `Authorization: Bearer` or in a first message `hello`. "
        "`?role=screen` in the URL, or `role` in a first `hello`, says that the device shows orders; without "
        "it the device is the driver's position source. A driver has one connection of each role: a new one "
        "closes the older one of its role with 4009. Fixes of a screen are stored. They move the driver's "
        "position only while the source has been silent for 30 s.",
        FromDriver,
        ToDriver,
    ),
    "customer": Channel(
        "/v1/track/{token}/stream",
        "Customers watch one order. `?cursor=` continues an earlier connection. Without one, the "
        "connection counts as an opening of the link; those with the same random `?visit=` (8 to 64 letters, "
        "digits, - and _) count once.",
        FromCustomer,
        ToCustomer,
        {"token": "Token of the tracking link; no other credential."},
    ),
    "dispatcher": Channel(
        "/v1/fleet/stream",
        "Dispatchers watch every driver and every open order. Send the API key as `Authorization: Bearer` or "
        "in a first message `hello`; a logged-in browser sends its session. A snapshot comes first, in "
        "parts, then what changes, at most once a second. With a `viewport`, positions come only of drivers "
        "who are in it or leave it; everything else still comes of all. JSON only.",
        FromDispatcher,
        ToDispatcher,
    ),
}

blueprint = Blueprint("asyncapi", __name__)


@blueprint.get("/asyncapi.json")
@endpoint(answer=dict[str, Any])
async def asyncapi_json() -> Response:
    """Describe the messages of the WebSockets as AsyncAPI 3.0."""
    return answer(describe() | {"servers": {"service": _server(base_url())}})


def _server(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    server = {"host": parts.netloc, "protocol": "wss" if parts.scheme == "https" else "ws"}
    return server | ({"pathname": parts.path} if parts.path else {})


def describe() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document."""
    types = [type_ for channel in CHANNELS.values() for type_ in _types(channel)]
    unique = list(dict.fromkeys(types))
    found, schemas = schemas_of(unique)
    messages = {type_.__name__: _message(type_, found[type_]) for type_ in unique}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Tracker", "version": version("order-tracker"), "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {name: _channel(channel) for name, channel in CHANNELS.items()},
        "operations": dict(
            operation for name, channel in CHANNELS.items() for operation in _operations(name, channel)
        ),
        "components": {"messages": messages, "schemas": schemas},
    }


def _types(channel: Channel) -> list[type[msgspec.Struct]]:
    return list(dict.fromkeys([*get_args(channel.received), *get_args(channel.sent)]))


def _message(type_: type[msgspec.Struct], schema: dict[str, Any]) -> dict[str, Any]:
    description = cleandoc(type_.__doc__ or "")
    message = {"name": type_.__struct_config__.tag, "payload": schema}
    return message | ({"description": description} if description else {})


def _channel(channel: Channel) -> dict[str, Any]:
    content = {
        "address": channel.address,
        "description": channel.description,
        "messages": {
            type_.__name__: {"$ref": f"#/components/messages/{type_.__name__}"} for type_ in _types(channel)
        },
        "bindings": {"ws": {"method": "GET"}},
    }
    parameters = {name: {"description": description} for name, description in channel.parameters.items()}
    return content | ({"parameters": parameters} if parameters else {})


def _operations(name: str, channel: Channel) -> list[tuple[str, dict[str, Any]]]:
    """Return the operations of a channel. `receive` and `send` are the server's, as in AsyncAPI."""
    sides = (("says", "receive", channel.received), ("hears", "send", channel.sent))
    return [
        (
            f"{name}_{verb}",
            {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [
                    {"$ref": f"#/channels/{name}/messages/{type_.__name__}"} for type_ in get_args(union)
                ],
            },
        )
        for verb, action, union in sides
    ]
