"""The command lines of `tracker drivers`."""

from typing import TYPE_CHECKING

import click
import msgspec

from tracker.commands.running import load_config, run, say

if TYPE_CHECKING:
    from tracker.commands.drivers import App


@click.group()
def drivers() -> None:
    """List drivers and set their phones up."""


@drivers.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_drivers(*, as_json: bool) -> None:
    """List all drivers, newest first: id, vehicle, reference and name."""
    from tracker.commands import drivers as command

    listed = run(command.list_drivers(load_config(), say))
    if as_json:
        click.echo(msgspec.json.encode([command.public_fields(driver) for driver in listed]))
    else:
        click.echo("\n".join(map(command.as_line, listed)) or "There are no drivers yet.")


@drivers.command("pair")
@click.argument("driver_id")
@click.option(
    "--app",
    type=click.Choice(["page", "owntracks", "gpslogger"]),
    default="page",
    show_default=True,
    help="What the QR code opens: the page for drivers, or an app that fetches its settings.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the links of all apps.")
def pair(driver_id: str, app: "App", *, as_json: bool) -> None:
    """Print a QR code that sets a driver's phone up.

    The code is for one use within 15 minutes and replaces the driver's earlier one. It gives the phone a
    token of its own; the QR code holds none. Set TRACKER_PUBLIC_URL to the address that phones reach.
    """
    from tracker.commands import drivers as command

    pairing = run(command.pair_driver(load_config(), say, driver_id))
    click.echo(msgspec.json.encode(pairing) if as_json else pairing.as_text(app))
