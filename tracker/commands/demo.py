"""`tracker demo`: run one node and simulated couriers as child processes, and print the links to open."""

import asyncio
import errno
import os
import shlex
import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from pathlib import Path
from secrets import token_urlsafe
from time import monotonic
from typing import IO, Final

import httpx
import msgspec
from rich.console import Console
from rich.markup import escape

from tracker.config import Config, cannot_listen
from tracker.errors import ConfigError
from tracker.system.file_lock import try_lock
from tracker.system.processes import Child, Program, running
from tracker.system.progress import Teller

PORTS_TRIED: Final = 50
POLL: Final = 0.1  # seconds between two requests for readiness
SEED: Final = 2  # not the default, so that a simulator run beside the demo has other couriers
SERVICE_ENDS: Final = 25.0  # seconds the service may take to drain; then it is killed
COURIERS_END: Final = 15.0  # seconds, likewise


class OrderEvent(msgspec.Struct, frozen=True):
    """An event of an order, as the simulator prints it."""

    event: str
    order_id: str
    courier: str = ""
    vehicle: str = ""
    tracking_url: str = ""
    text: str = ""


def run(config: Config, drivers: int = 3, port: int | None = None) -> int:
    """Run the demo until Ctrl-C or SIGTERM (returns 0), or until a child process dies (returns 1)."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        with _lock_file(config.data_dir / "demo.lock") as lock:
            if not try_lock(lock):
                url = lock.read().strip() or "an address that it chooses now"
                console.print(f"The demo already runs in this folder, on {url}. Ctrl-C ends it there.")
                return 1
            demo = _Demo(config, console, _free_port(config, _wanted_port(config, port), console))
            lock.truncate(0)
            lock.write(demo.url)
            lock.flush()
            return asyncio.run(demo.run(drivers))
    except ConfigError as error:
        console.print(f"The demo cannot start. {error}", markup=False)
        return 1


class _Step(msgspec.Struct, frozen=True):
    """A log line of the service; `step` is empty unless it reports the progress of the start."""

    step: str = ""


class _Demo:
    """The child processes of one demo, and what it prints."""

    def __init__(self, config: Config, console: Console, port: int) -> None:
        self._config = config
        self._console = console
        self._teller = Teller(console.file, indent="  ")
        host = config.address[0]
        self._bind = f"{host}:{port}"
        reachable = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}.get(host, host)
        self.url = f"{'http' if config.tls_cert is None else 'https'}://{reachable}:{port}"
        self._key = config.admin_key or _stored_key(config.data_dir / "demo-admin-key")
        self._log = config.data_dir / "demo.log"
        self._stop = asyncio.Event()
        self._has_links = False  # whether the links have been printed

    async def run(self, drivers: int) -> int:
        """Start the child processes in order, and stop them in reverse order at the end."""
        started = monotonic()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        async with AsyncExitStack() as children:
            self._say(f"Starting the service on {self.url}; its log is {self._log}.")
            service = await children.enter_async_context(self._service())
            if not await self._wait_until_ready(service):
                return self._exit_status(service)
            self._say(
                f"The service is ready after {monotonic() - started:.1f} s. Starting {drivers} couriers."
            )
            couriers = await children.enter_async_context(self._couriers(drivers))
            await self._wait_until_end(service, couriers)
            return self._exit_status(service, couriers)

    def _service(self) -> AbstractAsyncContextManager[Child]:
        settings = {"TRACKER_BIND": self._bind, "TRACKER_ADMIN_KEY": self._key}
        program = Program("service", ("-m", "tracker", "serve", "--migrate"), settings, SERVICE_ENDS)
        return running(program, out=self._append_to_log, err=self._show_progress)

    def _couriers(self, drivers: int) -> AbstractAsyncContextManager[Child]:
        settings = {"DRIVER_SIM_URL": self.url, "DRIVER_SIM_API_KEY": self._key}
        command = (
            *("-m", "driver_sim", "run", "--drivers", str(drivers)),
            *("--seed", str(SEED), "--proofs", "--events", "-"),
        )
        return running(
            Program("couriers", command, settings, COURIERS_END),
            out=self._show_order,
            err=self._append_to_log,
        )

    async def _wait_until_ready(self, service: Child) -> bool:
        """Return True once the service and its map are ready, False if it died or a signal came."""
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            while service.process.returncode is None and not self._stop.is_set():
                try:
                    ready = await http.get(f"{self.url}/readyz")
                    if ready.is_success and "preparing" not in ready.json():
                        return True
                except httpx.HTTPError:
                    pass  # not listening yet
                await asyncio.sleep(POLL)
        return False

    async def _wait_until_end(self, *children: Child) -> None:
        """Return when a signal comes or a child process dies."""
        async with asyncio.TaskGroup() as tasks:
            waits: list[asyncio.Task[object]] = [tasks.create_task(self._stop.wait())]
            waits += [tasks.create_task(child.process.wait()) for child in children]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    def _exit_status(self, *children: Child) -> int:
        """Return the exit status. Print the last lines of each child process that died."""
        dead = [child for child in children if child.process.returncode is not None]
        if self._stop.is_set() or not dead:
            self._say("Stopping the couriers, then the service.")
            return 0
        for child in dead:
            self._say(f"The {child.name} ended with code {child.process.returncode}. Its last lines:")
            self._say("\n".join(f"  {line}" for line in child.last_lines) or "  (none)")
        return 1

    # --- the output of the child processes

    def _show_progress(self, line: str) -> None:
        """Log a line of the service. Until the links are printed, also show the steps of its start."""
        self._append_to_log(line)
        if self._has_links:
            return
        try:
            event = msgspec.json.decode(line, type=_Step)
        except msgspec.DecodeError:
            self._teller.say(line)  # not a log line, such as the error that ended the service
        else:
            if event.step:
                self._teller.say(event.step)

    def _append_to_log(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    def _show_order(self, line: str) -> None:
        """Print a line for each new order, and before the first one the links."""
        try:
            order = msgspec.json.decode(line, type=OrderEvent)
        except msgspec.MsgspecError:
            return
        if order.event not in {"order_created", "order_taken"}:
            return
        if not self._has_links:
            self._has_links = True
            self._list_links(order)
        self._say(f"{order.courier} ({order.vehicle}), {order.text}: {order.tracking_url}")

    def _list_links(self, order: OrderEvent) -> None:
        order_url = f"{self.url}/v1/orders/{order.order_id}"
        key, place = "$TRACKER_ADMIN_KEY", "TRACKER_ADMIN_KEY"
        if self._config.admin_key is None:
            place = str(self._config.data_dir.absolute() / "demo-admin-key")
            key = f"$(cat {shlex.quote(place)})"
        curl = f'curl -H "Authorization: Bearer {key}"'
        self._say("\nThe demo is running. Open these in a browser, or run them in another terminal:\n")
        self._link("The map of a customer", order.tracking_url)
        self._link("The dispatchers' board", f"{self.url}/dispatch", f"log in with the key in {place}")
        self._link("The API reference", f"{self.url}/docs")
        self._link("The order's history", f"{curl} {order_url}/history")
        self._link("Its track", f"{curl} {order_url}/track.geojson")
        self._link("The same as GPX", f"{curl} {order_url}/track.gpx")
        self._say("\nCtrl-C ends the demo. New orders follow by themselves:\n")

    def _link(self, what: str, where: str, how: str = "") -> None:
        self._console.print(f"  {what:<22} [bold]{escape(where)}[/bold]")
        if how:
            self._console.print(f"  {'':<22} {escape(how)}")

    def _say(self, what: str) -> None:
        self._console.print(what, markup=False)


# --- lock, port and key


@contextmanager
def _lock_file(path: Path) -> Iterator[IO[str]]:
    """Open the file that the only demo of a data folder locks. It holds that demo's address."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        file.seek(0)
        yield file


def _wanted_port(config: Config, port: int | None) -> int:
    """Return *port*, or else PORT, or else the port of TRACKER_BIND. Raises ConfigError."""
    text = os.environ.get("PORT")
    if port is not None or not text:
        return config.address[1] if port is None else port
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ConfigError("PORT", f"must be a number from 1 to 65535, not {text!r}")
    return int(text)


def _free_port(config: Config, wanted: int, console: Console) -> int:
    """Return the wanted port, or the next free one. Raises ConfigError if 50 ports are taken."""
    host = config.address[0]
    for port in range(wanted, min(65536, wanted + PORTS_TRIED)):
        if _can_listen(host, port):
            if port != wanted:
                console.print(f"Port {wanted} is taken; using {port} instead.")
            return port
    raise ConfigError(
        "PORT", f"{wanted} and the following ports, {PORTS_TRIED} in all, are taken; give another port"
    )


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
            raise cannot_listen("TRACKER_BIND", f"{host}:{port}", error) from error
    return True


def _stored_key(path: Path) -> str:
    """Return the demo's admin key. The first run creates its file, which only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token_urlsafe(24))
    return path.read_text().strip()
