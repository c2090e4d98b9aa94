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

from collections.abc import Callable, Coroutine
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TextIO

import click
import msgspec
import uvloop

from tracker import logs
from tracker.commands import backup as backup_command
from tracker.commands import demo as demo_command
from tracker.commands import eta as eta_command
from tracker.commands import keys as keys_command
from tracker.commands import migrate as migrate_command
from tracker.commands import serve as serve_command
from tracker.commands.check import check_all
from tracker.config import Config
from tracker.database.api_keys import Scope
from tracker.errors import TrackerError
from tracker.eta import evaluation
from tracker.system.progress import Teller
from tracker.system.stopping import Stop, stoppable

INTERRUPTED_STATUS: Final = 128 + signal.SIGTERM  # the exit status of a command that a signal ended


def say(text: str) -> None:
    """Print the progress of a long step to standard error."""
    _teller(sys.stderr).say(text)


@lru_cache(maxsize=1)
def _teller(stream: TextIO) -> Teller:
    return Teller(stream)


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Run *work* and return its result.

    On SIGTERM or SIGINT it closes everything that *work* opened and exits with status 143.
    Raises ClickException for a known error.
    """
    result = _run(lambda _: work, INTERRUPTED_STATUS)
    if result is None:
        raise click.exceptions.Exit(INTERRUPTED_STATUS)
    return result[0]


def _run[T](work: Callable[[Stop], Coroutine[Any, Any, T]], status: int) -> tuple[T] | None:
    """Return the result, or None if a signal came first.

    Raises ClickException for a known error, so that the user sees no traceback.
    """

    async def until_signal() -> tuple[T] | None:
        async with stoppable(status) as stop:
            return (await work(stop),)
        return None

    try:
        return uvloop.run(until_signal())
    except TrackerError as error:
        raise click.ClickException(str(error)) from error


def load_config() -> Config:
    """Read the settings and set up logging. Raises ClickException, which names the invalid setting."""
    try:
        config = Config.from_environment()
    except TrackerError as error:
        raise click.ClickException(str(error)) from error
    logs.set_up(config.log_level)
    return config


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="order-tracker")
def main() -> None:
    """Track deliveries in real time, on your own servers.

    Settings come from environment variables such as DATABASE_URL and TRACKER_BIND. The README lists them all.
    """


@main.command()
@click.option("--migrate", is_flag=True, help="Apply missing database migrations first.")
def serve(*, migrate: bool) -> None:
    """Run one node, which serves HTTP and WebSocket until SIGTERM.

    Without DATABASE_URL it starts an embedded PostgreSQL in TRACKER_DATA_DIR and stops it at the end.
    """
    config = load_config()
    told = Teller(sys.stderr, log=serve_command.log_progress).say
    _run(lambda stop: serve_command.serve(config, stop, told, migrate=migrate), status=0)


@main.command()
def migrate() -> None:
    """Apply missing database migrations.

    Several nodes may run this at the same time.
    """
    applied = run(migrate_command.migrate(load_config(), say))
    click.echo("\n".join(f"applied {name}" for name in applied) or "The database is up to date.")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write a backup of the whole database to FILE, while the service runs.

    It needs no programs of PostgreSQL. Keep TRACKER_SECRET with it: customers' links are derived from that.
    """
    saved = run(backup_command.backup(load_config(), say, file))
    size = file.stat().st_size / 1e6
    click.echo(f"Saved {saved.rows:,} rows of {len(saved.tables)} tables in {file} ({size:,.1f} MB).")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Fill an empty database from the backup FILE, and bring it up to date.

    Without DATABASE_URL it creates the database in TRACKER_DATA_DIR. Stop the service first.
    """
    restored = run(backup_command.restore(load_config(), say, file))
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
def create_key(name: str, scope: Scope) -> None:
    """Create an API key and print it.

    The key is printed only once, because the database stores only its hash.
    """
    click.echo(run(keys_command.create_key(load_config(), say, name, scope)))


@keys.command("list")
def list_keys() -> None:
    """List all API keys: id, scope, date of creation, state and name.

    The keys themselves are not stored, so they cannot be shown again.
    """
    click.echo("\n".join(run(keys_command.list_keys(load_config(), say))) or "There are no keys yet.")


@keys.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Revoke the API key with this id, at once and on every node.

    `tracker keys list` shows the ids.
    """
    if not run(keys_command.revoke_key(load_config(), say, key_id)):
        raise click.ClickException("There is no key with this id; `tracker keys list` shows the ids.")
    click.echo("Revoked.")


@main.group()
def eta() -> None:
    """Evaluate arrival times."""


class _RepeatableLearn(click.Command):
    """A command that takes `--learn A B C` as well as `--learn A --learn B --learn C`."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(context, _repeat_option(args, "--learn"))


def _repeat_option(args: list[str], option: str) -> list[str]:
    """Insert *option* before each of its values, unless that leaves no positional argument."""
    expanded: list[str] = []
    for argument in args:
        follows = len(expanded) > 1 and expanded[-2] == option and not argument.startswith("-")
        expanded += [option, argument] if follows else [argument]
    return expanded if _positional(expanded) else args


def _positional(args: list[str]) -> list[str]:
    """Return the arguments that are neither an option nor the value of one."""
    takes_value = {"--map", "--learn"}
    return [
        each
        for before, each in pairwise(["", *args])
        if before not in takes_value and not each.startswith("-")
    ]


@eta.command("evaluate", cls=_RepeatableLearn)
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
    report = run(eta_command.evaluate(trips, extract, learn, say))
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        evaluation.print_table(report)


@main.command()
@click.option("--drivers", default=3, show_default=True, help="Number of simulated couriers.")
@click.option(
    "--port", default=None, type=int, help="Port to listen on.  [default: PORT, or else that of TRACKER_BIND]"
)
def demo(drivers: int, port: int | None) -> None:
    """Run a complete demo: database, service, and simulated couriers who deliver orders on real streets.

    Prints the links to open. Ctrl-C stops everything.
    """
    sys.exit(demo_command.run(load_config(), drivers=drivers, port=port))


@main.command()
@click.option("--refresh", is_flag=True, help="Download a newer map, if TRACKER_MAP is a URL and has one.")
def check(*, refresh: bool) -> None:
    """Verify settings, database, map and router, and print how to fix each problem.

    Exits with status 1 if there is a problem. If TRACKER_MAP is a URL, this downloads the map.
    """
    config = load_config()
    sys.exit(0 if run(check_all(config, click.echo, say, refresh=refresh)) else 1)


if __name__ == "__main__":
    main()
