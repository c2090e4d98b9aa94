"""The demo: one node of the service and simulated couriers as our children, and the links to open."""

import asyncio
import errno
import os
import signal
import socket
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from secrets import token_urlsafe
from time import monotonic
from typing import Final

import httpx
import msgspec
from rich.console import Console
from rich.markup import escape

from tracker.config import Config
from tracker.errors import ConfigError
from tracker.system.processes import Child, Program, running
from tracker.system.progress import Teller

PORTS_TRIED: Final = 50
POLL: Final = 0.1  # seconds between two looks whether the service is ready
SEED: Final = 2  # whoever tries the simulator beside the demo gets couriers of their own
SERVICE_ENDS: Final = 25.0  # seconds it may take to drain; then it is killed
COURIERS_END: Final = 15.0


class Ordered(msgspec.Struct, frozen=True):
    """What the couriers' program tells of an order."""

    event: str
    order_id: str
    courier: str = ""
    vehicle: str = ""
    tracking_url: str = ""
    text: str = ""


def run(config: Config, drivers: int = 3, port: int | None = None) -> int:
    """Until Ctrl-C or SIGTERM (0), or until a child dies (1). Prints what to open."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        at = _free_port(config, _wanted_port(config, port), console)
        return asyncio.run(_Demo(config, console, at).run(drivers))
    except ConfigError as error:
        console.print(f"The demo cannot start. {error}", markup=False)
        return 1


class _Demo:
    def __init__(self, config: Config, console: Console, port: int) -> None:
        self._config = config
        self._console = console
        self._teller = Teller(console.file, indent="  ")
        host = config.address[0]
        self._bind = f"{host}:{port}"
        shown = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}.get(host, host)
        self._url = f"{'http' if config.tls_cert is None else 'https'}://{shown}:{port}"
        self._key = config.admin_key or _kept_key(config.data_dir / "demo-admin-key")
        self._log = config.data_dir / "demo.log"
        self._stop = asyncio.Event()
        self._listed = False

    async def run(self, drivers: int) -> int:
        """Starts the children one after the other; leaving ends them in reverse."""
        began = monotonic()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        async with AsyncExitStack() as children:
            self._say(f"Starting the service on {self._url}; its log is {self._log}.")
            service = await children.enter_async_context(self._service())
            if not await self._ready(service):
                return self._verdict(service)
            self._say(
                f"The service is ready after {monotonic() - began:.1f} s. Sending {drivers} couriers out."
            )
            couriers = await children.enter_async_context(self._couriers(drivers))
            await self._until_end(service, couriers)
            return self._verdict(service, couriers)

    def _service(self) -> AbstractAsyncContextManager[Child]:
        settings = {"TRACKER_BIND": self._bind, "TRACKER_ADMIN_KEY": self._key}
        program = Program("service", ("-m", "tracker", "serve", "--migrate"), settings, SERVICE_ENDS)
        return running(program, out=self._logged, err=self._passed_on)

    def _couriers(self, drivers: int) -> AbstractAsyncContextManager[Child]:
        settings = {"DRIVER_SIM_URL": self._url, "DRIVER_SIM_API_KEY": self._key}
        command = (
            *("-m", "driver_sim", "run", "--drivers", str(drivers)),
            *("--seed", str(SEED), "--events", "-"),
        )
        return running(
            Program("couriers", command, settings, COURIERS_END), out=self._ordered, err=self._logged
        )

    async def _ready(self, service: Child) -> bool:
        """Whether the service can be used, with its map; False when it died or we were told to end."""
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            while service.process.returncode is None and not self._stop.is_set():
                try:
                    ready = await http.get(f"{self._url}/readyz")
                    if ready.is_success and "preparing" not in ready.json():
                        return True
                except httpx.HTTPError:
                    pass  # not listening yet
                await asyncio.sleep(POLL)
        return False

    async def _until_end(self, *children: Child) -> None:
        """Returns when we are told to end, or when a child has died."""
        async with asyncio.TaskGroup() as tasks:
            waits: list[asyncio.Task[object]] = [tasks.create_task(self._stop.wait())]
            waits += [tasks.create_task(child.process.wait()) for child in children]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    def _verdict(self, *children: Child) -> int:
        """The exit code; a death is told with the last words."""
        dead = [child for child in children if child.process.returncode is not None]
        if self._stop.is_set() or not dead:
            self._say("Ending: first the couriers, then the service.")
            return 0
        for child in dead:
            self._say(f"The {child.name} ended with code {child.process.returncode}. It said:")
            self._say("\n".join(f"  {line}" for line in child.last_words) or "  (nothing)")
        return 1

    # --- what the children say

    def _passed_on(self, line: str) -> None:
        """Plain words are for the person who waits; structured lines are for the log."""
        self._logged(line)
        if not line.startswith("{") and not self._listed:
            self._teller.say(line)

    def _logged(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    def _ordered(self, line: str) -> None:
        """The first order brings the list of links, each later one a line."""
        try:
            order = msgspec.json.decode(line, type=Ordered)
        except msgspec.MsgspecError:
            return
        if order.event not in {"order_created", "order_taken"}:
            return
        if not self._listed:
            self._listed = True
            self._list_links(order)
        self._say(f"{order.courier} ({order.vehicle}), {order.text}: {order.tracking_url}")

    def _list_links(self, order: Ordered) -> None:
        of_order = f"{self._url}/v1/orders/{order.order_id}"
        key = "$TRACKER_ADMIN_KEY"
        if self._config.admin_key is None:
            key = f"$(cat {self._config.data_dir / 'demo-admin-key'})"
        ask = f'curl -H "Authorization: Bearer {key}"'
        self._say("\nThe demo is running. Open in a browser, or ask from another terminal:\n")
        self._link("The map of a customer", order.tracking_url)
        self._link("The API, explained", f"{self._url}/docs")
        self._link("The order's history", f"{ask} {of_order}/history")
        self._link("Its track", f"{ask} {of_order}/track.geojson")
        self._link("The same as GPX", f"{ask} {of_order}/track.gpx")
        self._say("\nCtrl-C ends all of it. Orders renew themselves:\n")

    def _link(self, what: str, where: str) -> None:
        self._console.print(f"  {what:<22} [bold]{escape(where)}[/bold]")

    def _say(self, what: str) -> None:
        self._console.print(what, markup=False)


# --- where


def _wanted_port(config: Config, port: int | None) -> int:
    """The argument, else PORT, else that of TRACKER_BIND."""
    given = os.environ.get("PORT")
    if port is not None or not given:
        return config.address[1] if port is None else port
    if not given.isdecimal() or not 0 < int(given) < 65536:
        raise ConfigError("PORT", f"must be a number from 1 to 65535, not {given!r}")
    return int(given)


def _free_port(config: Config, wanted: int, console: Console) -> int:
    """The wanted port or the next free one. Raises ConfigError where none can be had."""
    host = config.address[0]
    for port in range(wanted, min(65536, wanted + PORTS_TRIED)):
        if _can_listen(host, port):
            if port != wanted:
                console.print(f"Port {wanted} is taken; using {port} instead.")
            return port
    raise ConfigError("PORT", f"{wanted} and the {PORTS_TRIED} after it are taken")


def _can_listen(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise ConfigError("TRACKER_BIND", f"cannot listen on {host}:{port}: {error.strerror}") from error
    return True


def _kept_key(path: Path) -> str:
    """The demo's own admin key, made once and readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token_urlsafe(24))
    return path.read_text().strip()
