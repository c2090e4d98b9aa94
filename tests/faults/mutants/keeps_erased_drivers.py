"""Mutant: an erased driver's connection and trip stay."""

from tracker.__main__ import main
from tracker.live.fleet import Fleet


async def _nothing(self: Fleet, driver_id: str, token_hash: bytes | None = None) -> None:
    pass


if __name__ == "__main__":
    Fleet.driver_revoked = _nothing  # type: ignore[method-assign]
    main()
