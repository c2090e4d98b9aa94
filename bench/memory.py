"""Memory of the `tracker serve` process, without PostgreSQL and other processes."""

from pathlib import Path

from bench.node import Node
from bench.processes import children
from bench.rows import Row

LIMIT = 250.0  # MB


async def measure_memory(node: Node) -> list[Row]:
    """Measure the resident memory with the demo area loaded, after one trip."""
    sizes = _rollup(node.pid)
    detail = f"of it private {sizes['Private_Clean'] + sizes['Private_Dirty']:.0f} MB"
    of_children = [_rollup(pid)["Rss"] for pid in children(node.pid)]
    if of_children:
        detail += f"; {len(of_children)} child processes {sum(of_children):.0f} MB"
    return [
        Row(
            name="resident memory of tracker serve",
            value=sizes["Rss"],
            unit="MB",
            against="limit",
            reference=LIMIT,
            detail=detail,
        )
    ]


def _rollup(pid: int) -> dict[str, float]:
    """Return the kernel's memory figures of one process, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {
        name: int(rest.split()[0]) * 1024 / 1e6 for name, _, rest in (line.partition(":") for line in lines)
    }
