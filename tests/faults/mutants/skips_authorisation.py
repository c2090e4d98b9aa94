"""Mutant: any driver may change any order."""

from typing import Any

from tracker.__main__ import main
from tracker.domain.order_rules import require_order
from tracker.orders import lifecycle


def _anybodys(order: Any, by_driver: str | None = None) -> Any:
    return require_order(order)


if __name__ == "__main__":
    vars(lifecycle)["require_order"] = _anybodys
    main()
