"""Mutant: any driver may change any order."""

from typing import Any

from tracker.__main__ import main
from tracker.domain.order_rules import found
from tracker.orders import lifecycle


def _anybodys(order: Any, by_driver: str | None = None) -> Any:
    return found(order)


if __name__ == "__main__":
    vars(lifecycle)["found"] = _anybodys
    main()
