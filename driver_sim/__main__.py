"""The command line of the simulator."""

import asyncio
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import click

from driver_sim.client.reconnect import PermanentDisconnect
from driver_sim.couriers.phone import Tempo
from driver_sim.couriers.scenario import Settings, end_on_signals
from driver_sim.errors import NoBroker
from driver_sim.load.command_line import load
from driver_sim.merchant_api import ApiError
from driver_sim.options import key_option, url_option, with_fix
from driver_sim.replay.player import Replay
from driver_sim.replay.player import replay as replay_all
from driver_sim.replay.schedule import Timing
from driver_sim.report.console import Output, run_and_show
from driver_sim.sources.protocols import PROTOCOLS
from driver_sim.tracks import NAMES, BadTrack, Options, Recording, read_tracks
from tracker.domain.order import Vehicle


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="order-tracker", prog_name="driver-sim")
def main() -> None:
    """Try out the tracking service with simulated couriers or recorded tracks.

    Uses only the service's public interface. It needs the service's address and a key or token.
    """


main.add_command(load)


def _parse_columns(_context: click.Context, _option: click.Parameter, text: str | None) -> dict[str, str]:
    """Parse `field=column,…`: the CSV column of each field of a fix. Raises BadParameter."""
    columns: dict[str, str] = {}
    for pair in text.split(",") if text else ():
        field, _, column = (part.strip() for part in pair.partition("="))
        if not column or field not in NAMES:
            raise click.BadParameter(f"{pair!r} is not field=column; fields are {', '.join(NAMES)}")
        columns[field] = column
    return columns


@main.command()
@url_option
@key_option
@click.option("--drivers", type=click.IntRange(1, 10_000), default=3, help="Number of couriers.")
@click.option("--seed", default=1, help="Random seed; the same seed gives the same couriers and orders.")
@click.option("--interval", type=click.FloatRange(0.1, 3600), default=1.0, help="Seconds between fixes.")
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default="ws",
    help="How couriers send positions: the driver's WebSocket in JSON or MessagePack, one HTTP request for"
    " many fixes, or as the phone apps do. Their orders always come by WebSocket.",
)
@click.option(
    "--speed-up",
    type=click.FloatRange(0.1, 100),
    default=1.0,
    help="Factor for the vehicles' speed; timestamps stay real.",
)
@click.option(
    "--jam",
    type=click.FloatRange(0, min_open=True),
    is_flag=False,
    flag_value=600.0,
    metavar="[SECONDS]",
    help="Start with a jam in the middle of the map, where vehicles crawl. It dissolves after these seconds,"
    " or after ten minutes.",
)
@click.option("--duration", type=click.FloatRange(0.1), help="Stop after this many seconds.")
@click.option(
    "--orders", type=click.IntRange(0), help="Create this many orders in total, deliver them and stop."
)
@click.option(
    "--wait", type=click.FloatRange(0), default=30.0, help="Seconds to wait for the service to become ready."
)
@click.option("--proofs", is_flag=True, help="The first order needs a photo and the customer's PIN.")
@click.option("--links", is_flag=True, help="Print the tracking link of each new order.")
@click.option("--json", "as_json", is_flag=True, help="Print events, totals and the summary as JSON lines.")
@click.option(
    "--events",
    type=click.File("w", lazy=False),
    help="Write order events to this file as JSON lines; - for stdout.",
)
def run(
    *,
    interval: float,
    speed_up: float,
    jam: float | None,
    links: bool,
    as_json: bool,
    events: IO[str] | None,
    **options: Any,
) -> None:
    """Simulate couriers on real streets.

    Couriers send positions with GPS errors, carry orders between real addresses of the service's map, and
    report each pickup and delivery. They create new orders until you press Ctrl-C, or until
    --orders or --duration ends the run. A run reuses the drivers of earlier runs with the same seed.

    The exit status is 1 if the service disconnects every courier for good.
    """
    settings = Settings(tempo=Tempo(interval, speed_up), jam=jam or 0.0, **options)
    try:
        clean = asyncio.run(run_and_show(settings, Output(links, as_json, events)))
    except ApiError as error:
        raise click.ClickException(with_fix(error)) from error
    except NoBroker as error:
        raise click.ClickException(f"{error}.") from error
    sys.exit(0 if clean else 1)


@main.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@url_option
@click.option(
    "--token", envvar="DRIVER_SIM_TOKEN", show_envvar=True, help="Drive as the driver of this token."
)
@click.option(
    "--api-key",
    envvar="DRIVER_SIM_API_KEY",
    show_envvar=True,
    help="Create a driver for each track, and orders for recorded trips.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0.01, 1000),
    default=1.0,
    help="Replay speed; 2 is twice as fast as recorded.",
)
@click.option("--as-fast-as-possible", is_flag=True, help="Send all fixes at once, as history that ends now.")
@click.option(
    "--original-times", is_flag=True, help="Keep the recorded times instead of shifting them to now."
)
@click.option("--trip", help="Replay only the trip with this name.")
@click.option(
    "--vehicle",
    type=click.Choice(["car", "bicycle", "scooter", "foot"]),
    default="car",
    help="Vehicle of tracks that name none.",
)
@click.option(
    "--assume-speed",
    type=click.FloatRange(0, 350, min_open=True),
    metavar="M_S",
    help="Speed in m/s for tracks without times.",
)
@click.option(
    "--columns",
    callback=_parse_columns,
    metavar="FIELD=COLUMN,…",
    help="CSV columns, such as recorded_at=t,lat=Y,lon=X. Without a header: column numbers, from 1.",
)
def replay(
    *,
    files: tuple[Path, ...],
    url: str,
    token: str | None,
    api_key: str | None,
    speed: float,
    as_fast_as_possible: bool,
    original_times: bool,
    trip: str | None,
    vehicle: Vehicle,
    assume_speed: float | None,
    columns: Mapping[str, str],
) -> None:
    """Replay recorded tracks.

    FILES are GPX, GeoJSON (lines with coordTimes, or points with a time), CSV (recorded_at, time or
    timestamp; lat; lon; …) or recorded trips (.jsonl). Each may be compressed as .gz.

    With --token, one driver replays the tracks one after another. With --api-key, each track gets its own
    driver, and all tracks run at once. The stops of recorded trips then become orders, except with
    --original-times or --as-fast-as-possible, where the orders would end before they begin.

    The command skips points, values and features that it cannot use, and prints them with their lines. The
    exit status is 1 if nothing in a file can be replayed, or if the service rejects every fix of a track. It
    is also 1 if fixes remain unacknowledged.
    """
    if token is None and api_key is None:
        raise click.UsageError(
            "Set --token to drive as one driver, or --api-key to create a driver for each track."
        )
    timing = Timing(None if as_fast_as_possible else speed, original_times)
    recordings, readable = _read_recordings(files, trip, Options(assume_speed, columns))
    if original_times and any(one.assumed_times for one in recordings):
        raise click.UsageError("--original-times needs tracks with times; omit --assume-speed.")
    settings = Replay(
        url=url, recordings=recordings, timing=timing, token=token, api_key=api_key, vehicle=vehicle
    )
    sys.exit(0 if _replay(settings) and readable else 1)


def _replay(settings: Replay) -> bool:
    """Replay until the end or Ctrl-C. Return whether the service acknowledged every fix that was sent."""

    async def play() -> bool:
        shutdown = asyncio.Event()
        end_on_signals(shutdown.set)
        return await replay_all(settings, shutdown, click.echo)

    try:
        return asyncio.run(play())
    except (ApiError, PermanentDisconnect) as error:
        raise click.ClickException(with_fix(error)) from error


def _read_recordings(
    files: Iterable[Path], trip: str | None, options: Options
) -> tuple[list[Recording], bool]:
    """Read the files. Return their recordings, and whether every file has one.

    Prints skipped points and unreadable files on standard error. Raises ClickException if nothing is left.
    """
    recordings: list[Recording] = []
    unreadable: list[str] = []
    for file in files:
        try:
            tracks = read_tracks(file, options)
        except BadTrack as error:
            unreadable.append(str(error))
            continue
        recordings += tracks.recordings
        for line in tracks.report:
            click.echo(line, err=True)
    if not recordings:
        raise click.ClickException("\n".join(unreadable))
    for line in unreadable:
        click.echo(line, err=True)
    matches = [one for one in recordings if trip is None or one.name == trip]
    if not matches:
        names = ", ".join(one.name for one in recordings[:10])
        raise click.ClickException(f"No trip is named {trip!r}; the files hold {names}")
    return matches, not unreadable


if __name__ == "__main__":
    main()
