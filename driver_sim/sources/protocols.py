"""Protocols: the ways in which a simulated courier can send its positions."""

from random import Random
from typing import Final, Literal, get_args

from driver_sim.client.client import DriverClient
from driver_sim.errors import NoBroker
from driver_sim.merchant_api import DriverAccess
from driver_sim.sources.formats import FORMATS, AppProtocol
from driver_sim.sources.http_source import HttpSource
from driver_sim.sources.mqtt_source import MqttSource
from driver_sim.sources.source import OnError, PositionSource

SocketProtocol = Literal["ws", "msgpack"]
Protocol = SocketProtocol | AppProtocol | Literal["mqtt"]
WHOLE_SECONDS: Final[frozenset[Protocol]] = frozenset(
    {"mqtt", *(protocol for protocol, format_ in FORMATS.items() if format_.whole_seconds)}
)
"""Protocols whose times have no fractions."""
PROTOCOLS: Final[tuple[Protocol, ...]] = (*get_args(SocketProtocol), *get_args(AppProtocol), "mqtt")


def open_client(protocol: Protocol, url: str, access: DriverAccess, random: Random) -> DriverClient:
    """Return the courier's connection: its only one, or the screen beside an app that sends positions."""
    return DriverClient(
        url,
        access.token,
        random=random,
        subprotocol="tracker.v1.msgpack" if protocol == "msgpack" else "tracker.v1",
        role="source" if protocol in get_args(SocketProtocol) else "screen",
    )


def open_source(
    protocol: Protocol, url: str, access: DriverAccess, client: DriverClient, on_error: OnError
) -> PositionSource:
    """Return what sends the courier's positions. Raises NoBroker."""
    match protocol:
        case "ws" | "msgpack":
            return client
        case "mqtt":
            if access.setup.mqtt is None:
                raise NoBroker
            return MqttSource(access.setup.mqtt, access.id, on_error=on_error)
        case _:
            return HttpSource(url, access.token, FORMATS[protocol], on_error=on_error)
