"""`tracker`: the command line."""

import os
import signal
import sys

if __name__ == "__main__" or os.path.basename(sys.argv[0]) == "tracker":  # noqa: PTH119 - pathlib loads slowly
    # Loading takes a second or more, and nothing is open yet: a signal just ends the process.
    for _number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(_number, lambda *_: os._exit(0))

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TextIO

import click
import msgspec
import uvloop

from tracker import logs
from tracker.app import create_app
from tracker.commands import demo as demo_run
from tracker.commands.check import check_all
from tracker.config import Config
from tracker.database import Database
from tracker.database.api_keys import ApiKey, Scope, insert_api_key, revoke_api_key, select_api_keys
from tracker.database.migrations import migrate as migrate_database
from tracker.errors import TrackerError
from tracker.eta import evaluation
from tracker.map.extract import prepare_map
from tracker.node import database_url, open_node, utc_now
from tracker.routing import Router
from tracker.server import BACKLOG, listen
from tracker.server import serve as serve_app
from tracker.system.progress import Teller
from tracker.system.stopping import Stop, stoppable
from tracker.tokens import hash_token, new_api_key, new_id

BROKEN_OFF: Final = 128 + signal.SIGTERM  # exit status of a command that a signal ended


def say(text: str) -> None:
    """Tell a person about a long step, on standard error."""
    _teller(sys.stderr).say(text)


@lru_cache(maxsize=1)
def _teller(stream: TextIO) -> Teller:
    return Teller(stream)


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Run *work* to its end. After a signal everything that it opened is closed, and the status is 143."""
    finished = _run(lambda _: work, BROKEN_OFF)
    if finished is None:
        raise click.exceptions.Exit(BROKEN_OFF)
    return finished[0]


def _run[T](work: Callable[[Stop], Coroutine[Any, Any, T]], status: int) -> tuple[T] | None:
    """The result; None if a signal came before there was one. Known errors are told without a traceback."""

    async def until_signal() -> tuple[T] | None:
        async with stoppable(status) as stop:
            return (await work(stop),)
        return None

    try:
        return uvloop.run(until_signal())
    except TrackerError as error:
        raise click.ClickException(str(error)) from error


def configured() -> Config:
    """The settings; a wrong one is named."""
    try:
        config = Config.from_environment()
    except TrackerError as error:
        raise click.ClickException(str(error)) from error
    logs.set_up(config.log_level)
    return config


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="order-tracker")
def main() -> None:
    """Real-time delivery tracking: drivers stream, PostgreSQL stores, customers watch.

    Settings come from the environment (DATABASE_URL, TRACKER_BIND, …); the README lists all of them.
    """


@main.command()
@click.option("--migrate", is_flag=True, help="Bring the database up to date first.")
def serve(*, migrate: bool) -> None:
    """Run one node: HTTP and WebSocket until SIGTERM.

    Without DATABASE_URL it starts a PostgreSQL of its own under TRACKER_DATA_DIR and stops it again.
    """
    config = configured()
    _run(lambda stop: _serve(config, stop, migrate=migrate), status=0)


async def _serve(config: Config, stop: Stop, *, migrate: bool) -> None:
    with listen(config) as listening:
        async with open_node(config, say=say, migrating=migrate) as node:
            stop.serving = True
            listening.listen(BACKLOG)  # clients that come now wait a moment instead of being refused
            scheme = "http" if config.tls_cert is None else "https"
            host, port = listening.getsockname()[:2]
            say(f"Serving on {scheme}://{f'[{host}]' if ':' in host else host}:{port}")
            await serve_app(create_app(node), config, listening, node.fleet.drain, stop.asked)


@main.command()
def migrate() -> None:
    """Bring the database up to date. Safe to run on several nodes at once."""
    applied = run(_migrate(configured()))
    click.echo("\n".join(f"applied {name}" for name in applied) or "The database is up to date.")


async def _migrate(config: Config) -> list[str]:
    async with database_url(config, say) as url:
        return await migrate_database(url)


@main.group()
def keys() -> None:
    """API keys for merchants' programs."""


@keys.command("create")
@click.option("--name", required=True, help="Who will use it; shown in lists.")
@click.option("--scope", type=click.Choice(["admin", "orders", "read"]), default="orders", show_default=True)
def create_key(name: str, scope: Scope) -> None:
    """Print a new API key. It is shown this once: the database keeps only its hash."""
    click.echo(run(_create_key(configured(), name, scope)))


async def _create_key(config: Config, name: str, scope: Scope) -> str:
    key = new_api_key()
    async with _migrated(config) as database:
        await insert_api_key(database, ApiKey(new_id("key"), scope), name, hash_token(key), utc_now())
    return key


@keys.command("list")
def list_keys() -> None:
    """Show every key that was made: its id, scope, state and name. The keys themselves are not kept."""
    click.echo("\n".join(run(_list_keys(configured()))) or "There are no keys yet.")


async def _list_keys(config: Config) -> list[str]:
    async with _migrated(config) as database:
        known = await select_api_keys(database)
    states = ["in use" if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d}" for key in known]
    return [
        f"{key.id}  {key.scope:6}  {key.created_at:%Y-%m-%d}  {state:18}  {key.name}"
        for key, state in zip(known, states, strict=True)
    ]


@keys.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Refuse the key with this id (`tracker keys list`) from now on, on every node."""
    if not run(_revoke_key(configured(), key_id)):
        raise click.ClickException("There is no key with this id; `tracker keys list` shows them.")
    click.echo("Revoked.")


async def _revoke_key(config: Config, key_id: str) -> bool:
    async with _migrated(config) as database:
        return await revoke_api_key(database, key_id, utc_now())


@asynccontextmanager
async def _migrated(config: Config) -> AsyncIterator[Database]:
    """The database; one of our own is brought up to date first."""
    async with database_url(config, say) as url:
        if config.database_url is None:
            await migrate_database(url)
        async with Database.open(url) as database:
            yield database


@main.group()
def eta() -> None:
    """Arrival times."""


class _SeveralEarlier(click.Command):
    """Takes `--learn A B C` as well as `--learn A --learn B --learn C`."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(context, _spelled_out(args, "--learn"))


def _spelled_out(args: list[str], option: str) -> list[str]:
    """The option before each of its values; only before the first where nothing else were left over."""
    spelled: list[str] = []
    for argument in args:
        follows = len(spelled) > 1 and spelled[-2] == option and not argument.startswith("-")
        spelled += [option, argument] if follows else [argument]
    return spelled if _free(spelled) else args


def _free(args: list[str]) -> list[str]:
    """The arguments that are no option and no option's value."""
    takes = {"--map", "--learn"}
    return [
        each for before, each in pairwise(["", *args]) if before not in takes and not each.startswith("-")
    ]


@eta.command("evaluate", cls=_SeveralEarlier)
@click.argument("trips", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--map",
    "extract",
    type=click.Path(path_type=Path),
    help="The .osm.pbf they drove on.  [default: TRACKER_MAP, or else the demo area]",
)
@click.option(
    "--learn", type=click.Path(path_type=Path), multiple=True, help="Trips seen before, one file or several."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def evaluate_eta(
    trips: tuple[Path, ...], extract: Path | None, learn: tuple[Path, ...], *, as_json: bool
) -> None:
    """Replay recorded trips through the service's forecast and print how far it was off.

    TRIPS are files of recorded trips, one JSON object a line, gzipped or not. A virtual clock replays them
    side by side: every forecast knows what was known at its moment, and is learned from once its trip is
    over. Without --learn the forecast begins like a fresh installation. Errors stand beside those of the
    router's plain time, of that time with the best constant, and of the straight line.
    """
    report = run(_evaluate(trips, extract, learn))
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        evaluation.print_table(report)


async def _evaluate(
    trips: tuple[Path, ...], extract: Path | None, learn: tuple[Path, ...]
) -> evaluation.Report:
    judged, earlier = (
        [trip for path in paths for trip in evaluation.read_trips(path)] for paths in (trips, learn)
    )
    config = Config.from_environment()
    if extract is not None:
        config = msgspec.structs.replace(config, map=str(extract))
    async with Router.open(await prepare_map(config, say), say) as router:
        return await evaluation.evaluate(judged, earlier, router, say)


@main.command()
@click.option("--drivers", default=3, show_default=True, help="How many simulated couriers.")
@click.option("--port", default=None, type=int, help="Instead of the port of TRACKER_BIND.")
def demo(drivers: int, port: int | None) -> None:
    """Run everything at once: database, service, and simulated couriers with orders on real streets.

    Prints the links to open; Ctrl-C ends all of it.
    """
    sys.exit(demo_run.run(configured(), drivers=drivers, port=port))


@main.command()
@click.option("--refresh", is_flag=True, help="Ask for a newer map, where TRACKER_MAP is a web address.")
def check(*, refresh: bool) -> None:
    """Verify configuration, database, map and router; say what is wrong and how to mend it.

    A map at a web address that is not here yet is downloaded.
    """
    config = configured()
    sys.exit(0 if run(check_all(config, click.echo, say, refresh=refresh)) else 1)


if __name__ == "__main__":
    main()
