"""What nodes say to each other over the bus, as MessagePack. All nodes of a service run one version."""

from typing import Final, Literal

import msgspec
from msgspec import Struct

from tracker.domain.driver.role import Role
from tracker.domain.tracks.fix import Fix, Rejection
from tracker.live.drivers.trip import Receipt

# --- requests to the node that owns a trip


class ForwardedFixes(Struct, tag=True, frozen=True):
    """Fixes that reached another node than the owner."""

    driver_id: str
    readings: list[Fix | Rejection]
    role: Role


class ReleaseTrip(Struct, tag=True, frozen=True):
    """Ask for a trip whose driver is connected to the asking node."""

    driver_id: str


Request = ForwardedFixes | ReleaseTrip


class Stored(Struct, tag=True, frozen=True):
    """The fixes were committed."""

    receipt: Receipt


class Done(Struct, tag=True, frozen=True):
    """The request was carried out."""


class Refused(Struct, tag=True, frozen=True):
    """The request was not carried out: the node owns no such trip, keeps it, or has no database or driver."""

    why: Literal["not_owner", "connected", "storage", "unknown"]


Answer = Stored | Done | Refused

# --- to all nodes


class TripOwned(Struct, tag=True, frozen=True):
    """The node has become the owner of the driver's trip."""

    driver_id: str
    node: str


Event = TripOwned

encode: Final = msgspec.msgpack.encode
decode_request: Final = msgspec.msgpack.Decoder(Request).decode
decode_answer: Final = msgspec.msgpack.Decoder(Answer).decode
decode_event: Final = msgspec.msgpack.Decoder(Event).decode
