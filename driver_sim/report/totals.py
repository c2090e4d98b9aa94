"""Totals: the figures of a run, its live table, and its event lines."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import IO, Any

import msgspec
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from driver_sim.couriers.courier import Courier
from driver_sim.couriers.events import Event, EventSink


class Totals(msgspec.Struct, frozen=True):
    """The sums of all couriers. Latencies are in seconds."""

    couriers: int
    connected: int
    delivered: int
    sent: int
    acked: int
    unacked: int
    duplicates: int
    rejected: int
    reconnects: int
    ack_p50_s: float | None
    ack_p99_s: float | None

    def line(self) -> str:
        return (
            f"{self.connected} of {self.couriers} couriers connected, {self.delivered} delivered; "
            f"fixes: {self.sent} sent, {self.acked} acknowledged, {self.unacked} waiting, "
            f"{self.rejected} rejected; {self.reconnects} reconnects, ack {_ms(self.ack_p50_s)}"
        )


def totals(couriers: Sequence[Courier]) -> Totals:
    sources = [courier.source for courier in couriers]

    def counted(what: str) -> int:
        return sum(source.counts[what] for source in sources)

    latencies = sorted(one for source in sources for one in source.latencies)
    return Totals(
        couriers=len(couriers),
        connected=sum(courier.client.connected for courier in couriers),
        delivered=sum(courier.delivered for courier in couriers),
        sent=counted("sent"),
        acked=counted("acked"),
        unacked=sum(source.unacked for source in sources),
        duplicates=counted("duplicates"),
        rejected=counted("rejected"),
        reconnects=sum(courier.client.reconnects for courier in couriers),
        ack_p50_s=median(latencies) if latencies else None,
        ack_p99_s=latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)] if latencies else None,
    )


def plain_lines(console: Console, *, links: bool, only: Iterable[str] | None = None) -> EventSink:
    """Return a sink that prints one line for each event. *links* adds the tracking links."""

    def emit(event: Event) -> None:
        if only is not None and event.event not in only:
            return
        what = " ".join(filter(None, (event.event.replace("_", " "), event.order_id, event.text)))
        link = f" {event.tracking_url}" if links and event.tracking_url else ""
        line = f"{event.at.astimezone():%H:%M:%S} {event.courier} ({event.vehicle}): {what}{link}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    return emit


def json_lines(stream: IO[str], *, only_orders: bool) -> EventSink:
    """Return a sink that writes and flushes one JSON object for each event."""

    def emit(event: Event) -> None:
        if event.order_id is not None or not only_orders:
            write_json(stream, event)

    return emit


def write_json(stream: IO[str], what: Any) -> None:
    stream.write(msgspec.json.encode(what).decode() + "\n")
    stream.flush()


def table(couriers: Sequence[Courier]) -> Group:
    """Return the live table: one row for each courier, and the totals below."""
    grid = Table(box=None, pad_edge=False)
    for name in ("courier", "vehicle", "order", "status"):
        grid.add_column(name, no_wrap=True)
    for name in ("km/h", "to go", "sent", "acked", "unacked", "reconnects", "ack p50"):
        grid.add_column(name, justify="right", no_wrap=True)
    for courier in couriers:
        grid.add_row(*_row(courier))
    return Group(grid, Text(totals(couriers).line(), style="dim"))


def _row(courier: Courier) -> tuple[str, ...]:
    client, source = courier.client, courier.source
    to_go = courier.phone.to_go_m
    return (
        courier.identity.name,
        courier.identity.vehicle,
        courier.stop.order_id if courier.stop else "",
        courier.activity if client.connected or courier.activity in {"stopped", "done"} else "reconnecting",
        f"{courier.phone.motion.speed * 3.6:.0f}",
        "" if to_go is None else f"{to_go:.0f} m",
        *(str(source.counts[what]) for what in ("sent", "acked")),
        str(source.unacked),
        str(client.reconnects),
        _ms(median(source.latencies) if source.latencies else None),
    )


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"
