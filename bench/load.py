"""Load: the cost of a live fix, all in, with many drivers at one fix a second and a customer each."""

import asyncio
import os
import sys
from typing import Any, Final

import msgspec

from bench.node import Node
from bench.processes import processor_s, resident_bytes
from bench.rows import Row

RAMP_S: Final = 5
DURATION_S: Final = 20
SETTLE_S: Final = 2  # after the ramp, before processor time counts


class _Usage(msgspec.Struct, frozen=True):
    """Processor seconds of the service and of PostgreSQL up to now."""

    service: float
    database: float


async def measure_load(node: Node, drivers: int = 200) -> list[Row]:
    """Measure with `driver-sim load` in a process of its own."""
    before = resident_bytes(node.pid)
    result, used, memory = await _run(node, drivers)
    first, last = RAMP_S + SETTLE_S, RAMP_S + DURATION_S
    fixes = sum(one["acknowledged"] for one in result["seconds"] if first < one["at_s"] <= last)
    tool = f"{result['processor']:.0%} of a processor for the tool, {result['late']['p99_ms']:.1f} ms late"
    name = f"{drivers:,} drivers at 1 Hz with a customer each"
    broken = "".join(f"; BROKEN: {one['text']}" for one in result["promises"] if not one["kept"])
    return [
        Row(
            name=f"processor's time of a live fix, {name}",
            value=1e6 * used.service / max(1, fixes),
            unit="µs",
            against="goal",
            reference=400.0,
            limit=False,
            detail=f"PostgreSQL {1e6 * used.database / max(1, fixes):.0f} µs more; {fixes:,} fixes; "
            f"{tool}{broken}",
        ),
        *_latencies(result, name),
        Row(
            name=f"memory of the service for each of {drivers:,} drivers with a trip and a customer",
            value=(memory - before) / 1024 / drivers,
            unit="KiB",
            against="goal",
            reference=100.0,
            limit=False,
        ),
    ]


def _latencies(result: dict[str, Any], name: str) -> list[Row]:
    goals = [
        ("customer", "fix_to_customer", "p50_ms", 2.0),
        ("customer", "fix_to_customer", "p99_ms", 20.0),
        ("acknowledgement", "fix_to_ack", "p99_ms", 50.0),
    ]
    return [
        Row(
            name=f"fix to {what}, {percentile.removesuffix('_ms')}, {name}",
            value=result[key][percentile] or float("inf"),
            unit="ms",
            against="goal",
            reference=goal,
            limit=False,
        )
        for what, key, percentile, goal in goals
    ]


async def _run(node: Node, drivers: int) -> tuple[dict[str, Any], _Usage, int]:
    """Return the tool's result, the processor time of the steady seconds, and the memory at their end."""
    key = node.http.headers["Authorization"].removeprefix("Bearer ")
    options = ["--drivers", drivers, "--ramp", RAMP_S, "--duration", DURATION_S, "--json"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "driver_sim", "load"),
        *map(str, options),
        env=os.environ | {"DRIVER_SIM_URL": node.url, "DRIVER_SIM_API_KEY": key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    database_pid = await node.database_pid()
    output = asyncio.create_task(process.stdout.read())
    usage: dict[int, _Usage] = {}
    memory = 0
    async for line in process.stderr:
        second = line.split(maxsplit=1)[:1]
        if second and second[0].isdigit() and int(second[0]) in {RAMP_S + SETTLE_S, RAMP_S + DURATION_S}:
            usage[int(second[0])] = _usage(node, database_pid)
            memory = resident_bytes(node.pid)
    await process.wait()
    begin, end = usage[RAMP_S + SETTLE_S], usage[RAMP_S + DURATION_S]
    used = _Usage(end.service - begin.service, end.database - begin.database)
    return msgspec.json.decode(await output), used, memory


def _usage(node: Node, database_pid: int) -> _Usage:
    return _Usage(processor_s(node.pid), processor_s(database_pid, children=True))
