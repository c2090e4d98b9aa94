"""`tracker mqtt acl`: the files by which an MQTT broker knows the drivers and the service."""

import hashlib
import hmac
import re
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import msgspec

from tracker.broker_urls import MQTT_EXAMPLE, parse_mqtt_url
from tracker.commands.keys import open_existing_database
from tracker.config import Config
from tracker.config.secret import secret_of
from tracker.database.credentials.driver_tokens import MqttAccount, select_mqtt_accounts
from tracker.errors import ConfigError
from tracker.mqtt.accounts import mosquitto_files, nats_files
from tracker.system.progress import Say
from tracker.tokens import SALT_BYTES, hash_driver_token

BrokerKind = Literal["mosquitto", "nats"]
MODE: Final = 0o640  # of a new file: its owner can give it the broker's group
LONGEST_PASSWORD: Final = 72  # bytes, as bcrypt takes
USER_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")


class Written(msgspec.Struct, frozen=True):
    """What the command did."""

    changed: list[Path]
    drivers: int  # with an account
    without: list[str]  # ids of drivers whose newest token has no hash for this broker


async def write_files(config: Config, say: Say, kind: BrokerKind, folder: Path) -> Written:
    """Write the broker's files into *folder*, those that differ.

    Raises ConfigError, StorageUnavailable, OSError.
    """
    service = _account_of_service(config)
    async with open_existing_database(config, say) as database:
        accounts = await select_mqtt_accounts(database)
    make = mosquitto_files if kind == "mosquitto" else nats_files
    files = make(service, accounts)
    changed = [path for name, text in files.items() if _write(path := folder / name, text)]
    without = [one.name for one in accounts if one.mosquitto is None]
    return Written(changed, len(accounts) - len(without), without)


def as_text(written: Written) -> str:
    """Say what changed, and what to do now."""
    lines = [f"Wrote {path}." for path in written.changed] or ["Nothing has changed."]
    if written.changed:
        lines.append(f"{written.drivers} drivers have an account. Reload the broker now (SIGHUP).")
    if written.without:
        why = "Their tokens are from an earlier version; give each a new one, or pair the phone again"
        lines.append(f"Without an account: {', '.join(written.without)}. {why}.")
    return "\n".join(lines)


def _account_of_service(config: Config) -> MqttAccount:
    """Return the account in TRACKER_MQTT_URL. Its hashes stay the same, so that the files do."""
    if config.mqtt_url is None:
        raise ConfigError(
            "TRACKER_MQTT_URL", f"is unset; set it to the broker and an account there: {MQTT_EXAMPLE}"
        )
    broker = parse_mqtt_url(config.mqtt_url)
    name, password = broker.username or "", broker.password or ""
    if not USER_NAME.fullmatch(name) or not 0 < len(password.encode()) <= LONGEST_PASSWORD:
        why = f"needs a user name of A-Z a-z 0-9 _ . - and a password of at most {LONGEST_PASSWORD} bytes"
        raise ConfigError("TRACKER_MQTT_URL", f"{why}: {MQTT_EXAMPLE}")
    key = secret_of(config).encode()
    salt = hmac.digest(key, b"MQTT account, version 1: " + password.encode(), hashlib.sha256)[:SALT_BYTES]
    hashes = hash_driver_token(password, salt)
    return MqttAccount(name, hashes.mosquitto, hashes.bcrypt)


def _write(path: Path, text: str) -> bool:
    """Replace the file if its text differs; return whether it did. Owner, group and mode stay as they are."""
    with suppress(FileNotFoundError):
        if path.read_text() == text:
            return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=MODE)
    path.write_text(text)
    return True
