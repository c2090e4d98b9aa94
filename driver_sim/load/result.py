"""Result: the figures of a load test, and whether the service kept its promises."""

from typing import Final

import msgspec

from driver_sim.load.measurements import Latency, Second

LATE_MS: Final = 50.0  # a tool that sends so late has measured itself
BUSY: Final = 0.9  # of one processor: as above


class Promise(msgspec.Struct, frozen=True):
    """What a service with this load has to keep, and whether it did."""

    text: str
    kept: bool


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. Latencies are of the time after the ramp, counted from the moment a fix was due."""

    url: str
    protocol: str
    drivers: int
    watchers: int  # of each order
    rate_hz: float
    ramp_s: float
    duration_s: float  # after the ramp
    prepared_s: float  # for drivers, orders and routes
    fixes: int
    acknowledged: int
    unacknowledged: int
    rejected: int
    duplicates: int
    disconnected: int  # drivers that the service sent away for good
    updates: int
    customers: int
    up_to_date: int  # customers who saw all they may see at the end: their driver's newest position
    hidden: int  # customers from whom the service hid the position then, as privacy demands
    fix_to_ack: Latency
    fix_to_customer: Latency
    late: Latency  # how late the tool sent fixes
    processor: float  # share of one processor that the tool used after the ramp
    seconds: list[Second]

    @property
    def promises(self) -> list[Promise]:
        return [
            Promise(f"every fix is acknowledged ({self.unacknowledged:,} are not)", not self.unacknowledged),
            Promise(f"no fix is rejected ({self.rejected:,} were)", not self.rejected),
            Promise(f"no driver is sent away ({self.disconnected:,} were)", not self.disconnected),
            Promise(
                f"customers see the newest position ({self.up_to_date:,} of {self.customers:,}; "
                f"hidden from {self.hidden:,})",
                self.up_to_date == self.customers,
            ),
        ]

    @property
    def kept(self) -> bool:
        return all(one.kept for one in self.promises)

    @property
    def measures_itself(self) -> bool:
        """Whether the tool was too busy or too late to measure the service."""
        return self.processor > BUSY or (self.late.p99_ms or 0.0) > LATE_MS
