"""The command lines of `tracker mqtt`."""

import asyncio
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
@click.option(
    "--every",
    "every_s",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="Keep the files up to date, and look for changes this often. By default the command ends.",
)
def write_mqtt_files(folder: Path, kind: "BrokerKind", every_s: int | None) -> None:
    """Write the broker's files of passwords and access rules.

    Each driver has an account: the id is the user name, the newest token the password. A device may publish
    to its own driver's topics only. The service has the account in TRACKER_MQTT_URL. Run this again, and
    reload the broker, after each new driver, new token and erased driver; files that fit are left alone.
    """
    from tracker.commands.mqtt_accounts import files as command

    config = load_config()

    async def write() -> None:
        click.echo(command.as_text(await command.write_files(config, say, kind, folder)))
        while every_s is not None:
            await asyncio.sleep(every_s)
            written = await command.write_files(config, say, kind, folder)
            if written.changed:
                click.echo(command.as_text(written))

    try:
        run(write())
    except OSError as error:
        fix = "give a folder that this user may write"
        raise click.ClickException(f"{folder} cannot be written: {error.strerror}; {fix}") from error
