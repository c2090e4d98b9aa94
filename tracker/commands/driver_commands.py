"""The command lines of `tracker drivers`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, get_args

import click
import msgspec

from tracker.commands.running import load_config, run, say
from tracker.domain.order import Vehicle

if TYPE_CHECKING:
    from tracker.commands.drivers import App


LONGEST: Final = 200  # characters of a name or a reference, as in the API


@click.group()
def drivers() -> None:
    """Create drivers, list them, and set their phones up.

    The commands work on the database, beside a running service. Nothing has to be restarted.
    """


def _checked(_: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Return a text that the API would take, too. Raises BadParameter."""
    if text is None:
        return None
    is_name = parameter.name == "name"
    is_wrong = len(text) > LONGEST or not text.isprintable() or (is_name and not text.strip())
    if is_wrong:
        raise click.BadParameter(f"must be 1 to {LONGEST} printable characters, not only spaces")
    return text


app_option = click.option(
    "--app",
    type=click.Choice(["page", "owntracks", "gpslogger"]),
    default="page",
    show_default=True,
    help="What the QR code opens: the page for drivers, or an app that fetches its settings.",
)


@drivers.command("add")
@click.argument("name", callback=_checked)
@click.option(
    "--vehicle",
    type=click.Choice(get_args(Vehicle)),
    required=True,
    help="What the driver uses; routes and arrival times depend on it.",
)
@click.option("--reference", callback=_checked, help="Your own number of the driver, such as D-17.")
@app_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the settings and links of all apps.")
def add(name: str, vehicle: Vehicle, reference: str | None, app: "App", *, as_json: bool) -> None:
    """Create the driver NAME and print what sets the phone up.

    The output has the driver's id, a token, and a QR code that pairs one phone within 15 minutes. The QR code
    holds no token: scan it with the driver's phone. The token is for apps and programs that are set up by
    hand. It is shown this once; `tracker drivers pair` makes another QR code at any time. Set
    TRACKER_PUBLIC_URL to the address that phones reach.

    Example: tracker drivers add "Anna Schmidt" --vehicle bicycle
    """
    from tracker.commands import drivers as command

    added = run(command.add_driver(load_config(), say, name, vehicle, reference))
    click.echo(msgspec.json.encode(added) if as_json else added.as_text(app))


@drivers.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_drivers(*, as_json: bool) -> None:
    """List all drivers, newest first.

    A line has the driver's id, vehicle, reference, the age of the last position, and the name. The age counts
    from the receipt of the newest position that the service believes.
    """
    from tracker.commands import drivers as command

    listed = run(command.list_drivers(load_config(), say))
    if as_json:
        click.echo(msgspec.json.encode([driver.public_fields() for driver in listed]))
    else:
        lines = [driver.as_line(datetime.now(UTC)) for driver in listed]
        click.echo("\n".join(lines) or "There are no drivers yet. `tracker drivers add` creates one.")


@drivers.command("pair")
@click.argument("driver_id")
@app_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the links of all apps.")
def pair(driver_id: str, app: "App", *, as_json: bool) -> None:
    """Print a QR code that sets a driver's phone up.

    The code is for one use within 15 minutes and replaces the driver's earlier one. It gives the phone a
    token of its own; the QR code holds none. Set TRACKER_PUBLIC_URL to the address that phones reach.
    """
    from tracker.commands import drivers as command

    pairing = run(command.pair_driver(load_config(), say, driver_id))
    click.echo(msgspec.json.encode(pairing) if as_json else pairing.as_text(app))
