"""The brokers' files of accounts and access rules: each device may use its own driver's topics only."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from tracker.database.credentials.driver_tokens import MqttAccount

MADE_BY: Final = "# Written by `tracker mqtt acl`, which replaces it."
NATS_DELIVERY: Final = ("$MQTT.sub.>", "$MQTT.deliver.>")


def mosquitto_files(service: MqttAccount, accounts: Sequence[MqttAccount]) -> Mapping[str, str]:
    """Return the texts of Mosquitto's password_file and acl_file, by name."""
    users = [service, *accounts]
    passwords = [f"{one.name}:{one.mosquitto}" for one in users if one.mosquitto is not None]
    rules = (
        MADE_BY,
        "# The service reads all positions and acknowledges them.",
        f"user {service.name}",
        "topic read owntracks/+/+",
        "topic write tracker/+/ack",
        "",
        "# A device publishes to its driver's topics, and hears only what is for this driver.",
        "pattern write owntracks/%u/+",
        "pattern read owntracks/%u/+/cmd",
        "pattern read tracker/%u/ack",
    )
    return {"passwords": _lines(passwords), "acl": _lines(rules)}


def nats_files(service: MqttAccount, accounts: Sequence[MqttAccount]) -> Mapping[str, str]:
    """Return the text of a file that nats-server's configuration includes. `/` in a topic is `.` in NATS."""
    users = [_nats_user(service, publish="tracker.*.ack", subscribe=("owntracks.*.*",))]
    for one in accounts:
        if one.bcrypt is not None:
            hears = (f"tracker.{one.name}.ack", f"owntracks.{one.name}.*.cmd")
            users.append(_nats_user(one, publish=f"owntracks.{one.name}.*", subscribe=hears))
    return {"authorization.conf": _lines((MADE_BY, "authorization {", "  users = [", *users, "  ]", "}"))}


def _nats_user(account: MqttAccount, *, publish: str, subscribe: Sequence[str]) -> str:
    """Return one user; the gateway delivers by subjects that begin with $MQTT."""
    permissions = {"publish": {"allow": [publish]}, "subscribe": {"allow": [*subscribe, *NATS_DELIVERY]}}
    user = {"user": account.name, "password": account.bcrypt, "permissions": permissions}
    return f"    {msgspec.json.encode(user).decode()}"


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
