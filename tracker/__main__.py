"""`tracker`: the command line."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import click
import uvloop

from tracker import demo as demo_run
from tracker import logs
from tracker.app import create_app, database_url, open_parts, utc_now
from tracker.check import check_all
from tracker.config import Config
from tracker.database import Database
from tracker.database.keys import ApiKey, Scope, insert_api_key
from tracker.errors import TrackerError
from tracker.migrations import migrate as migrate_database
from tracker.server import listen
from tracker.server import serve as serve_app
from tracker.tokens import hash_token, new_api_key, new_id


def say(what: str) -> None:
    """Tells a person about a long step."""
    click.echo(what, err=True)


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Runs to the end; what we know how to explain is told without a traceback."""
    try:
        return uvloop.run(work)
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
    run(_serve(configured(), migrate=migrate))


async def _serve(config: Config, *, migrate: bool) -> None:
    listening = listen(config)
    with listening:
        async with open_parts(config, say=say, migrating=migrate) as parts:
            scheme = "http" if config.tls_cert is None else "https"
            host, port = listening.getsockname()[:2]
            say(f"Serving on {scheme}://{f'[{host}]' if ':' in host else host}:{port}")
            await serve_app(create_app(parts), config, listening, parts.fleet.drain)


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
    async with database_url(config, say) as url:
        if config.database_url is None:
            await migrate_database(url)
        async with Database.open(url) as database:
            await insert_api_key(database, ApiKey(new_id("key"), scope), name, hash_token(key), utc_now())
    return key


@main.command()
@click.option("--drivers", default=3, show_default=True, help="How many simulated couriers.")
@click.option("--port", default=None, type=int, help="Instead of the port of TRACKER_BIND.")
def demo(drivers: int, port: int | None) -> None:
    """Run everything at once: database, service, and simulated couriers with orders on real streets.

    Prints the links to open; Ctrl-C ends all of it.
    """
    sys.exit(demo_run.run(configured(), drivers=drivers, port=port))


@main.command()
def check() -> None:
    """Verify configuration, database, map and router; say what is wrong and how to mend it."""
    config = configured()
    sys.exit(0 if asyncio.run(check_all(config, click.echo)) else 1)


if __name__ == "__main__":
    main()
