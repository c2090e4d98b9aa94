"""The command lines of `tracker mqtt`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracker.commands.running import load_config, run, say

if TYPE_CHECKING:
    from tracker.commands.mqtt_accounts.files import BrokerKind


@click.group()
def mqtt() -> None:
    """Prepare an MQTT broker for drivers' devices."""


@mqtt.command("acl")
@click.option(
    "--out",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the files.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["mosquitto", "nats"]),
    default="mosquitto",
    show_default=True,
    help="The broker: Mosquitto (passwords, acl) or nats-server (authorization.conf).",
)
def write_mqtt_files(folder: Path, kind: "BrokerKind") -> None:
    """Write the broker's files of passwords and access rules.

    Each driver has an account: the id is the user name, the newest token the password. A device may publish
    to its own driver's topics only. The service has the account in TRACKER_MQTT_URL. Run this again, and
    reload the broker, after each new driver, new token and erased driver; files that fit are left alone.
    """
    from tracker.commands.mqtt_accounts import files as command

    try:
        click.echo(command.as_text(run(command.write_files(load_config(), say, kind, folder))))
    except OSError as error:
        fix = "give a folder that this user may write"
        raise click.ClickException(f"{folder} cannot be written: {error.strerror}; {fix}") from error
