"""The wire: every message type has a sample in tests/samples, and means the same there and back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from tracker import messages
from tracker.messages import FromCustomer, FromDriver, ToCustomer, ToDriver
from tracker.messages.dispatchers import FromDispatcher, ToDispatcher

# direction.type[.variant].json
SAMPLES = sorted((Path(__file__).parent.parent / "samples").glob("*_*.*.json"))
UNIONS: dict[str, Any] = {
    "from_driver": FromDriver,
    "to_driver": ToDriver,
    "from_customer": FromCustomer,
    "to_customer": ToCustomer,
    "from_dispatcher": FromDispatcher,
    "to_dispatcher": ToDispatcher,
}


def samples(*directions: str) -> list[Any]:
    """`to_driver.ack.of_a_status.json` is an ack to a driver; what follows the type tells variants apart."""
    found = [path for path in SAMPLES if path.name.split(".")[0] in directions]
    return [pytest.param(path, id=path.stem) for path in found]


def decoded(path: Path) -> msgspec.Struct:
    union = UNIONS[path.name.split(".")[0]]
    return msgspec.json.decode(path.read_bytes(), type=union)  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", samples(*UNIONS))
def test_a_sample_is_of_the_type_that_its_name_says(path: Path) -> None:
    """A sample is read as the message that its file is named after."""
    assert type(decoded(path)).__struct_config__.tag == path.name.split(".")[1]


@pytest.mark.parametrize("path", samples("to_driver", "to_customer", "to_dispatcher"))
def test_what_we_say_is_written_as_in_the_sample(path: Path) -> None:
    """A message of ours, read and written again, has the same fields with the same values."""
    assert json.loads(msgspec.json.encode(decoded(path))) == json.loads(path.read_text())


@pytest.mark.parametrize("path", samples(*UNIONS))
@pytest.mark.parametrize("codec", [msgspec.json, msgspec.msgpack], ids=["json", "msgpack"])
def test_a_message_means_the_same_in_both_encodings(path: Path, codec: Any) -> None:
    """Nothing of a message is lost in JSON or in MessagePack."""
    message = decoded(path)
    union = UNIONS[path.name.split(".")[0]]
    assert codec.decode(codec.encode(message), type=union) == message


@pytest.mark.parametrize("path", samples("from_driver", "from_customer", "from_dispatcher"))
def test_unknown_fields_are_ignored(path: Path) -> None:
    """A newer client's extra field changes nothing."""
    extended = json.loads(path.read_text()) | {"added_later": {"a": [1]}}
    union = UNIONS[path.name.split(".")[0]]
    assert msgspec.json.decode(json.dumps(extended), type=union) == decoded(path)


def test_every_message_has_a_sample() -> None:
    """No message type of any direction goes without a sample."""
    there = {tuple(path.name.split(".")[:2]) for path in SAMPLES}
    wanted = {
        (direction, message.__struct_config__.tag)
        for direction, union in UNIONS.items()
        for message in get_args(union)
    }
    assert wanted == there


def tagged() -> Iterator[type[msgspec.Struct]]:
    for value in vars(messages).values():
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__struct_config__.tag:
            yield value


def test_every_tagged_message_has_a_direction() -> None:
    """Whatever has a `type` is part of one of the unions (a lenient reading counts as what it reads)."""
    known = {member.__struct_config__.tag for union in UNIONS.values() for member in get_args(union)}
    assert {message.__struct_config__.tag for message in tagged()} <= known


def test_times_are_written_in_utc_with_milliseconds() -> None:
    """Every time that goes out has the form 2026-11-22T16:43:00.250Z."""
    at = msgspec.convert("2026-11-22T18:43:00.2509+02:00", messages.AwareTime)
    assert messages.rfc3339(at) == "2026-11-22T16:43:00.250Z"
