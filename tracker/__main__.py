"""The command line of `tracker`: commands, options and help. `commands/` holds what they do."""

import os
import signal
import sys

if __name__ == "__main__" or os.path.basename(sys.argv[0]) == "tracker":  # noqa: PTH119 - pathlib loads slowly
    # Imports take a second or more. Until they end no resource is open, so a signal may exit at once.
    for _number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(_number, lambda *_: os._exit(0))
    if sys.argv[1:2] == ["serve"]:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it reloads certificates, and never ends a service

from collections.abc import Mapping
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Final

import click
import msgspec

from tracker.commands.driver_commands import drivers
from tracker.commands.mqtt_accounts.command_line import mqtt
from tracker.commands.options import RepeatableLearn, settings_as_options
from tracker.commands.running import explained, load_config, run, say
from tracker.config import Config, read_values
from tracker.errors import TrackerError

if TYPE_CHECKING:
    from tracker.database.credentials.api_keys import Scope

# A command imports its module when it runs. So help and completion are quick, and each command works without
# the extras that only others need.


WORKERS_HELP: Final = "Run N nodes behind one port, and a NATS server if NATS_URL is unset."


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="order-tracker", prog_name="tracker")
def main() -> None:
    """Track deliveries in real time, on your own servers.

    Settings come from environment variables such as DATABASE_URL and TRACKER_BIND, or from options of
    `tracker serve`. `tracker settings` lists them with their values.
    """


@main.command()
@click.option("--migrate", is_flag=True, help="Apply missing database migrations first.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, metavar="N", help=WORKERS_HELP)
@click.option("--shared-port", is_flag=True, help="Share the port with other processes of this user.")
@settings_as_options
def serve(*, migrate: bool, workers: int, shared_port: bool, options: Mapping[str, str]) -> None:
    """Run one node, which serves HTTP and WebSocket until SIGTERM.

    Without a database URL it starts an embedded PostgreSQL in the data folder and stops it at the end.

    Each option below is also an environment variable; the option wins. A secret has no option for its value,
    because process lists show options: give the path of a file.
    """
    config = load_config(options)

    from tracker.commands.workers.command_line import run_service

    run_service(config, migrate=migrate, workers=workers, shared_port=shared_port)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_as_options
def settings(*, as_json: bool, options: Mapping[str, str]) -> None:
    """List all settings: value, source, default and meaning.

    Reads the environment, and takes the options of `tracker serve`. Values of secrets are masked. If a
    setting is wrong, the list is followed by the error, and the exit status is not 0.
    """
    from tracker.commands.settings import as_text, settings_in_use

    with explained(options):
        values = read_values(options=options)
        listed = settings_in_use(values)
        text = (
            msgspec.json.encode(listed).decode() if as_json else as_text(listed, get_terminal_size().columns)
        )
        click.echo(text)
        Config.of(values)


@main.command()
def migrate() -> None:
    """Apply missing database migrations.

    Several nodes may run this at the same time.
    """
    from tracker.commands import migrate as command

    applied = run(command.migrate(load_config(), say))
    click.echo("\n".join(f"applied {name}" for name in applied) or "The database is up to date.")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write a backup of the database to FILE.

    It holds the whole database, and the service may run meanwhile.
    It needs no programs of PostgreSQL. Keep TRACKER_SECRET with it: customers' links are derived from that.
    """
    from tracker.commands import backup as command

    saved = run(command.backup(load_config(), say, file))
    size = file.stat().st_size / 1e6
    click.echo(f"Saved {saved.rows:,} rows of {len(saved.tables)} tables in {file} ({size:,.1f} MB).")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Fill an empty database from the backup FILE.

    Then it brings the database up to date.
    Without DATABASE_URL it creates the database in TRACKER_DATA_DIR. Stop the service first.
    """
    from tracker.commands import backup as command

    restored = run(command.restore(load_config(), say, file))
    made = f"{restored.made_at:%Y-%m-%d %H:%M} UTC"
    click.echo(f"Restored {restored.rows:,} rows of {len(restored.tables)} tables as of {made}.")


@main.group()
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command("create")
@click.option("--name", required=True, help="Who will use the key. `tracker keys list` shows it.")
@click.option(
    "--scope",
    type=click.Choice(["admin", "orders", "read"]),
    default="orders",
    show_default=True,
    help="What the key allows: everything, orders and drivers, or only reading.",
)
def create_key(name: str, scope: "Scope") -> None:
    """Create an API key and print it.

    The key is printed only once, because the database stores only its hash.
    """
    from tracker.commands import keys as command

    click.echo(run(command.create_key(load_config(), say, name, scope)))


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_keys(*, as_json: bool) -> None:
    """List all API keys: id, scope, creation, state and name.

    The keys themselves are not stored, so they cannot be shown again.
    """
    from tracker.commands import keys as command

    listed = run(command.list_keys(load_config(), say))
    if as_json:
        click.echo(msgspec.json.encode([key._asdict() for key in listed]))
    else:
        click.echo("\n".join(map(command.as_line, listed)) or "There are no keys yet.")


@keys.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Revoke the API key with this id, at once and on every node.

    `tracker keys list` shows the ids.
    """
    from tracker.commands import keys as command

    if not run(command.revoke_key(load_config(), say, key_id)):
        raise click.ClickException("There is no key with this id; `tracker keys list` shows the ids.")
    click.echo("Revoked.")


main.add_command(drivers)
main.add_command(mqtt)


@main.group()
def eta() -> None:
    """Evaluate arrival times."""


@eta.command("evaluate", cls=RepeatableLearn)
@click.argument("trips", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--map",
    "extract",
    type=click.Path(path_type=Path),
    help="The .osm.pbf extract of the area.  [default: TRACKER_MAP, or else the demo area]",
)
@click.option(
    "--learn",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Earlier trips to train on: one file or several.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def evaluate_eta(
    trips: tuple[Path, ...], extract: Path | None, learn: tuple[Path, ...], *, as_json: bool
) -> None:
    """Replay recorded trips and print the errors of the forecasts.

    TRIPS are files of recorded trips: one JSON object a line, optionally gzipped. A virtual clock replays
    all trips at once. Each forecast uses only what was known at its time, and the model learns from each
    trip when it ends. Without --learn the model starts untrained, as on a new installation. For comparison,
    the report also holds the errors of the router's time, of that time with the best constant factor, and of
    the straight line.
    """
    from tracker.commands import eta as command
    from tracker.eta.evaluation import print_table

    report = run(command.evaluate(trips, extract, learn, say))
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        print_table(report)


@main.command()
@click.option(
    "--drivers",
    type=click.IntRange(1, 10_000),
    default=3,
    show_default=True,
    help="Number of simulated couriers.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port to listen on.  [default: PORT, or else that of TRACKER_BIND]",
)
def demo(drivers: int, port: int | None) -> None:
    """Run the service with simulated couriers; print the links.

    It runs the database, the service, and couriers who deliver orders on real streets. Ctrl-C stops
    everything.
    """
    from tracker.commands import demo as command

    sys.exit(command.run(load_config(), drivers=drivers, port=port))


@main.command()
@click.option("--refresh", is_flag=True, help="Download a newer map, if TRACKER_MAP is a URL and has one.")
@settings_as_options
def check(*, refresh: bool, options: Mapping[str, str]) -> None:
    """Check settings, database, broker, map and router.

    Prints how to fix each problem, and exits with status 1 if there is one. If TRACKER_MAP is a URL, this
    downloads the map. The options are those of `tracker serve`.
    """
    config = load_config(options)

    from tracker.commands.check import check_all

    sys.exit(0 if run(check_all(config, click.echo, say, refresh=refresh)) else 1)


@main.group()
def service() -> None:
    """Run this installation under systemd."""


@service.command("install")
@click.option("--user", default="tracker", show_default=True, help="The user that the service runs as.")
@click.option("--print", "print_only", is_flag=True, help="Print the unit and write nothing.")
@click.option("--force", is_flag=True, help="Replace a unit that was changed.")
@click.option("--to", "path", type=click.Path(path_type=Path), help="The file to write instead.")
def install_service(user: str, path: Path | None, *, print_only: bool, force: bool) -> None:
    """Write the systemd unit of this installation.

    Writes only /etc/systemd/system/order-tracker.service, and prints the commands that start it. The unit
    runs `tracker serve --migrate`. Its data folder is TRACKER_DATA_DIR, or else /var/lib/order-tracker.
    """
    from tracker.commands import systemd as command

    try:
        plan = command.plan(read_values()["TRACKER_DATA_DIR"].text, user, path)
        click.echo(plan.text if print_only else plan.carry_out(force=force), nl=not print_only)
    except (TrackerError, OSError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
