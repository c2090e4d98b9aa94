"""The command line of the simulator."""

import asyncio
import sys
from typing import IO

import click

from driver_sim.api import ApiError
from driver_sim.courier import Pace
from driver_sim.scenario import Settings
from driver_sim.show import Output, run_and_show


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
def main() -> None:
    """Drivers for trying out the tracking service: simulated couriers, and recorded tracks.

    Knows nothing but the service's public interface: an address and an API key are all it needs.
    """


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
        pace=Pace(interval, speed_up),
        duration=duration,
        orders=orders,
        wait=wait,
    )
    try:
        clean = asyncio.run(run_and_show(settings, Output(links, as_json, events)))
    except ApiError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if clean else 1)


if __name__ == "__main__":
    main()
