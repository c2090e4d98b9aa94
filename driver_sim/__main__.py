"""The command line of the simulator."""

import asyncio
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

import click

from driver_sim.client.reconnect import PermanentDisconnect
from driver_sim.couriers.phone import Tempo
from driver_sim.couriers.scenario import Settings, end_on_signals
from driver_sim.merchant_api import ApiError
from driver_sim.replay.player import Replay
from driver_sim.replay.player import replay as replay_all
from driver_sim.replay.schedule import Timing
from driver_sim.report.console import Output, run_and_show
from driver_sim.tracks import NAMES, BadTrack, Options, Recording, read_tracks
from tracker.domain.order import Vehicle


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
def main() -> None:
    """Drivers for trying out the tracking service: simulated couriers, and recorded tracks.

    Knows nothing but the service's public interface: an address and an API key are all it needs.
    """


def _columns(_context: click.Context, _option: click.Parameter, text: str | None) -> dict[str, str]:
    """`field=column,…`: which column of a CSV file holds which field of a fix."""
    columns: dict[str, str] = {}
    for pair in text.split(",") if text else ():
        field, _, column = (part.strip() for part in pair.partition("="))
        if not column or field not in NAMES:
            raise click.BadParameter(f"{pair!r} is not field=column; fields are {', '.join(NAMES)}")
        columns[field] = column
    return columns


url_option = click.option(
    "--url",
    envvar="DRIVER_SIM_URL",
    default="http://127.0.0.1:8080",
    show_envvar=True,
    help="The service's address.",
)


@main.command()
@url_option
@click.option("--api-key", envvar="DRIVER_SIM_API_KEY", show_envvar=True, required=True, help="Scope orders.")
@click.option("--drivers", type=click.IntRange(1, 10_000), default=3, help="Couriers.")
@click.option("--seed", default=1, help="The same seed gives the same couriers and errands.")
@click.option("--interval", type=click.FloatRange(0.1, 3600), default=1.0, help="Seconds between fixes.")
@click.option(
    "--speed-up",
    type=click.FloatRange(0.1, 100),
    default=1.0,
    help="Vehicles so many times faster than real; times stay real.",
)
@click.option("--duration", type=click.FloatRange(0.1), help="End after so many seconds.")
@click.option("--orders", type=click.IntRange(0), help="Make so many orders in all, deliver them and end.")
@click.option("--wait", type=click.FloatRange(0), default=30.0, help="Seconds for the service to answer.")
@click.option("--links", is_flag=True, help="Print each new order's tracking link.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines: events, totals, summary.")
@click.option("--events", type=click.File("w", lazy=False), help="Order events as JSON lines; - for stdout.")
def run(
    *,
    url: str,
    api_key: str,
    drivers: int,
    seed: int,
    interval: float,
    speed_up: float,
    duration: float | None,
    orders: int | None,
    wait: float,
    links: bool,
    as_json: bool,
    events: IO[str] | None,
) -> None:
    """Simulated couriers on real streets.

    They stream noisy positions, fetch and bring orders between real addresses of the service's map, and
    report what they do. Orders renew themselves until you press Ctrl-C. Couriers of an earlier run with the
    same seed are taken again, so that running it often does not pile up drivers.
    """
    settings = Settings(
        url=url,
        api_key=api_key,
        drivers=drivers,
        seed=seed,
        tempo=Tempo(interval, speed_up),
        duration=duration,
        orders=orders,
        wait=wait,
    )
    try:
        clean = asyncio.run(run_and_show(settings, Output(links, as_json, events)))
    except ApiError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if clean else 1)


@main.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@url_option
@click.option("--token", envvar="DRIVER_SIM_TOKEN", show_envvar=True, help="Drive as this driver.")
@click.option("--api-key", envvar="DRIVER_SIM_API_KEY", show_envvar=True, help="Make drivers (and orders).")
@click.option("--speed", type=click.FloatRange(0.01, 1000), default=1.0, help="Times real time.")
@click.option("--as-fast-as-possible", is_flag=True, help="Send everything at once, as history up to now.")
@click.option("--original-times", is_flag=True, help="Keep the recorded times; else shifted to now.")
@click.option("--trip", help="Only this trip of recorded trips.")
@click.option("--vehicle", type=click.Choice(["car", "bicycle", "scooter", "foot"]), default="car")
@click.option(
    "--assume-speed",
    type=click.FloatRange(0, 350, min_open=True),
    metavar="M_S",
    help="Drive tracks without times at this speed, in m/s.",
)
@click.option(
    "--columns",
    callback=_columns,
    metavar="FIELD=COLUMN,…",
    help="What CSV columns hold, such as recorded_at=t,lat=Y,lon=X; by number (from 1) without a header.",
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
    """Drive recorded tracks again.

    FILES: GPX, GeoJSON (lines with coordTimes, or points with a time), CSV (recorded_at, time or timestamp;
    lat; lon; …) and recorded trips (.jsonl), each also as .gz. With --token one driver drives them one after
    the other; with --api-key each track gets a driver of its own, all at once, and the stops of recorded
    trips become orders (not with --original-times or --as-fast-as-possible, where they would be over before
    they began).

    Points, values and features that cannot be used are skipped, and what was skipped is printed with its
    line. The exit status is 1 if nothing of a file can be replayed, if the service rejects every fix of a
    track, or if fixes remain unacknowledged.
    """
    if token is None and api_key is None:
        raise click.UsageError("Give --token to drive as a driver, or --api-key to make drivers.")
    timing = Timing(None if as_fast_as_possible else speed, original_times)
    recordings, readable = _recordings(files, trip, Options(assume_speed, columns))
    if original_times and any(one.assumed_times for one in recordings):
        raise click.UsageError("--original-times needs tracks with times; leave out --assume-speed.")
    settings = Replay(
        url=url, recordings=recordings, timing=timing, token=token, api_key=api_key, vehicle=vehicle
    )
    try:
        complete = asyncio.run(_replay(settings))
    except (ApiError, PermanentDisconnect) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if complete and readable else 1)


async def _replay(settings: Replay) -> bool:
    """Whether all was acknowledged, or ended by Ctrl-C with nothing left over."""
    shutdown = asyncio.Event()
    end_on_signals(shutdown.set)
    return await replay_all(settings, shutdown, click.echo)


def _recordings(files: Iterable[Path], trip: str | None, options: Options) -> tuple[list[Recording], bool]:
    """What the files hold, and whether each of them holds something; the rest is said on standard error."""
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
        raise click.ClickException(f"There is no trip {trip!r}; there are {names}")
    return matches, not unreadable


if __name__ == "__main__":
    main()
