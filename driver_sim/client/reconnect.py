"""What a closed connection means for a driver's client: stop, or come back, and after how long. Pure."""

from enum import StrEnum
from random import Random
from typing import Final

LONGEST_PAUSE: Final = 30.0  # seconds
FIRST_PAUSE: Final = 0.5
RESTART_SPREAD: Final = 15.0  # seconds over which the drivers of a restarted node come back

DESCRIPTIONS: Final = {
    1002: "the service found our frames broken",
    1003: "the service does not take this kind of frame",
    1007: "the service found our text not to be UTF-8",
    1009: "our message was too big",
    4000: "the service could not read our messages",
    4001: "the driver token is not known (or was replaced by a new one)",
    4003: "this driver may not connect",
    4008: "we did not say who we are in time",
    4009: "another connection of the same driver has replaced this one",
    4010: "the service says that this is over",
    4011: "the driver was removed",
    4029: "too many connections from this address",
}


class CloseAction(StrEnum):
    """What to do after a close."""

    STOP = "stop"
    RETRY = "retry"  # growing pauses with full jitter
    RESTART = "return"  # a restart: anywhere in the next 15 s


def after_close(code: int) -> CloseAction:
    """What a close code asks of a client; the hundreds decide for codes that are not known."""
    if code == 1000 or code in DESCRIPTIONS or 4000 <= code <= 4099:
        return CloseAction.STOP
    return CloseAction.RESTART if code in {1001, 1012} else CloseAction.RETRY


def after_http_error(status: int) -> CloseAction:
    """The same for an HTTP status in place of the handshake."""
    return CloseAction.STOP if 400 <= status < 500 and status not in {408, 425, 429} else CloseAction.RETRY


def pause(action: CloseAction, attempt: int, random: Random) -> float:
    """Seconds to wait before the connection number `attempt` (from 0) since the last good one."""
    if action is CloseAction.RESTART and attempt == 0:
        return random.uniform(0.0, RESTART_SPREAD)
    return random.uniform(0.0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt, 10)))


def describe_close(code: int, reason: str = "") -> str:
    """One sentence for a person: `4009: another connection …`."""
    description = DESCRIPTIONS.get(code, reason or "the service closed the connection")
    return f"{code}: {description}"


class PermanentDisconnect(Exception):
    """The service told us not to come back as we are; the text says why."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(describe_close(code, reason))
        self.code = code
