"""Schemas of the API's types under public names, with a description for every property.

A field's description is its `Meta(description=…)` or the string that follows it in its class.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, Final

import msgspec

REFERENCE: Final = "#/components/schemas/{name}"
TAG: Final = "Kind of the message."
NAMES: Final[
    Mapping[str, str]
] = {  # public name of each class whose name in the code is unclear or ambiguous
    "AssignBody": "Assignment",
    "AuditAnswer": "AuditEntry",
    "BulkAnswer": "BulkResult",
    "CustomerAnswer": "Customer",
    "DeliveryAnswer": "Delivery",
    "DeviceAnswer": "DeviceState",
    "DriverAnswer": "Driver",
    "DriverChangeBody": "DriverChange",
    "DutyAnswer": "Duty",
    "DutyIntervalAnswer": "DutyInterval",
    "MeAnswer": "DriverRecord",
    "OpeningAnswer": "LinkOpeningForDriver",
    "OpeningPage": "LinkOpeningForDriverPage",
    "DutyBody": "DutyChange",
    "DriverRow": "DriverEtaErrors",
    "EventsAnswer": "EventPage",
    "ErrorReply": "ErrorMessage",
    "ErrorRow": "EtaErrors",
    "FixAnswer": "StoredFix",
    "ForecastAnswer": "Forecast",
    "ForecastsAnswer": "ForecastPage",
    "HistoryAnswer": "History",
    "HourRow": "HourEtaErrors",
    "Limit": "VisibilityLimit",
    "LinkAnswer": "Link",
    "NewAttemptBody": "NewAttempt",
    "NewDriverAnswer": "DriverWithToken",
    "NewLinkBody": "NewLink",
    "NewSessionBody": "NewSession",
    "BrandAnswer": "Brand",
    "InstructionsBody": "NewInstructions",
    "PlaceBody": "NewPlace",
    "RatingAnswer": "Rating",
    "RatingBody": "NewRating",
    "BrandBody": "NewBrand",
    "NewWebhookAnswer": "WebhookWithSecret",
    "NewWebhookBody": "NewWebhook",
    "NewOrderBody": "NewOrder",
    "NewOrdersBody": "NewOrders",
    "NewPlace": "NewStop",
    "NewRules": "NewVisibilityRules",
    "NoteBody": "Note",
    "OpenAnswer": "LinkOpening",
    "OrderAnswer": "Order",
    "OrderChangeBody": "OrderChange",
    "Orders": "OrdersMessage",
    "Page[DeliveryAnswer]": "DeliveryPage",
    "Page[DriverAnswer]": "DriverPage",
    "Page[FoundAddress]": "FoundAddressPage",
    "Page[LinkAnswer]": "LinkPage",
    "Page[OpenAnswer]": "LinkOpeningPage",
    "Page[OrderAnswer]": "OrderPage",
    "Page[TrackFix]": "TrackPage",
    "Page[WireProof]": "ProofPage",
    "Page[WebhookAnswer]": "WebhookPage",
    "PairAnswer": "PairedDriver",
    "PairBody": "PairingAttempt",
    "PairingAnswer": "Pairing",
    "PlaceChange": "StopChange",
    "PollAnswer": "Poll",
    "ProofForm": "NewProof",
    "ProblemDetails": "Problem",
    "RedeliverAnswer": "Redelivered",
    "RedeliverBody": "Redelivery",
    "RouteAnswer": "Route",
    "Rules": "VisibilityRules",
    "SessionAnswer": "Session",
    "SecretAnswer": "WebhookSecret",
    "SecretBody": "WebhookSecretRenewal",
    "SilenceAnswer": "Silence",
    "StatusBody": "StatusChange",
    "StopAnswer": "SequencedStop",
    "StopBody": "StopKey",
    "StopsAnswer": "StopSequence",
    "StopsBody": "NewStopSequence",
    "TestAnswer": "WebhookTest",
    "TimelineRow": "TimelineEntry",
    "WebhookAnswer": "Webhook",
    "WebhookChangeBody": "WebhookChange",
    "WhereAnswer": "OrderPosition",
    "WireCandidate": "AddressCandidate",
    "WireCustomer": "AssignedCustomer",
    "WireDriver": "DriverProfile",
    "WireDuty": "DutyState",
    "WireEdge": "StreetPiece",
    "WireEta": "Eta",
    "WireEvent": "Event",
    "WireFieldError": "FieldError",
    "WireLeg": "RouteLeg",
    "WirePickup": "PickupStop",
    "WirePlace": "Stop",
    "WireProof": "Proof",
    "WireWindow": "Window",
}

type Schema = dict[str, Any]


def schemas_of(types: Iterable[Any]) -> tuple[dict[Any, Schema], dict[str, Schema]]:
    """Return the schema of each type, and the components that these refer to by public name."""
    unique = list(dict.fromkeys(types))
    found, components = msgspec.json.schema_components(unique, ref_template=REFERENCE)
    for struct in _structs_in(unique):
        _describe(components[_key(_name(struct))], getattr(struct, "__origin__", struct))
    plain = {key: NAMES.get(schema.get("title", key), key) for key, schema in components.items()}
    renamed = {
        plain[key]: _renamed(schema, plain) | {"title": plain[key]} for key, schema in components.items()
    }
    return dict(zip(unique, _renamed(found, plain), strict=True)), renamed


def properties_of(struct: type[msgspec.Struct]) -> Schema:
    """Return the schema of a Struct itself, not a reference to it, for parameters."""
    _, components = msgspec.json.schema_components([struct], ref_template=REFERENCE)
    schema = _describe(components[struct.__name__], struct)
    schema["properties"] = {
        name: _without_null(property_) for name, property_ in schema["properties"].items()
    }
    return schema


def _without_null(property_: Schema) -> Schema:
    """Return the schema of a parameter without null, since None stands for an absent parameter."""
    kept = {
        name: value
        for name, value in property_.items()
        if name != "anyOf" and (name, value) != ("default", None)
    }
    choices = [choice for choice in property_.get("anyOf", ()) if choice != {"type": "null"}]
    return kept if not choices else choices[0] | kept if len(choices) == 1 else kept | {"anyOf": choices}


def _describe(schema: Schema, struct: type[msgspec.Struct]) -> Schema:
    docs = field_docs(struct)
    config = struct.__struct_config__
    for name, property_ in schema.get("properties", {}).items():
        if name == config.tag_field:
            property_ |= {"type": "string", "description": TAG}
        elif "description" not in property_ and (text := docs.get(name) or _text_within(property_)):
            property_["description"] = text
    return schema


def _text_within(property_: Schema) -> str | None:
    """Return the description within a union, such as `Annotated[int, …] | None`."""
    return next(
        (choice["description"] for choice in property_.get("anyOf", ()) if "description" in choice), None
    )


@cache
def field_docs(struct: type[msgspec.Struct]) -> Mapping[str, str]:
    """Return by wire name the string that follows each field in its class or a base class."""
    wire = dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))
    docs: dict[str, str] = {}
    for cls in reversed(struct.__mro__):
        if issubclass(cls, msgspec.Struct) and cls is not msgspec.Struct:
            body = _body(cls)
            for field, doc in pairwise(body):
                match field, doc:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ) if name in wire:
                        docs[wire[name]] = inspect.cleandoc(text).replace("\n", " ")
    return docs


def _body(cls: type) -> list[ast.stmt]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(definition, ast.ClassDef)
    return definition.body


def _structs_in(types: Iterable[Any]) -> list[Any]:
    """Return each Struct in these types, at any depth; a generic one with its arguments."""
    found: dict[Any, None] = {}
    for type_ in msgspec.inspect.multi_type_info(types):
        _collect(type_, found)
    return list(found)


def _collect(value: object, found: dict[Any, None]) -> None:
    match value:
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            if cls not in found:
                found[cls] = None
                for field in fields:
                    _collect(field.type, found)
        case msgspec.Struct():
            for name in value.__struct_fields__:
                _collect(getattr(value, name), found)
        case tuple():
            for inner in value:
                _collect(inner, found)


def _name(struct: Any) -> str:
    """Return the title that msgspec gives a Struct, such as `Page[OrderAnswer]`."""
    if hasattr(struct, "__origin__"):
        return f"{struct.__origin__.__name__}[{', '.join(each.__name__ for each in struct.__args__)}]"
    return str(struct.__name__)


def _key(name: str) -> str:
    """Return the key that msgspec gives a component."""
    return re.sub(r"[^a-zA-Z0-9.\-_]", "_", name)


def _renamed(value: Any, plain: Mapping[str, str]) -> Any:
    """Return a schema with public names in every reference, also in discriminators' mappings.

    A tuple of equal items becomes a list of fixed length: client generators do not know `items: false`. Bytes
    become a file: only forms have them, and they are not base64 there.
    """
    match value:
        case {"prefixItems": [first, *_], "items": False, **rest}:
            return {"items": _renamed(first, plain)} | rest
        case {"contentEncoding": "base64", **rest}:  # a file of a form
            return rest | {"format": "binary"}
        case dict():
            return {name: _renamed(inner, plain) for name, inner in value.items()}
        case list() | tuple():
            return [_renamed(inner, plain) for inner in value]
        case str() if value.startswith(REFERENCE.format(name="")):
            return REFERENCE.format(name=plain[value.rpartition("/")[2]])
        case _:
            return value
