"""Reconnect rules: whether a close code permits reconnecting, and after how long. Pure."""

import re
from enum import StrEnum
from random import Random
from typing import Final

LONGEST_PAUSE: Final = 30.0  # seconds
FIRST_PAUSE: Final = 0.5
RESTART_SPREAD: Final = 15.0  # seconds over which drivers reconnect to a restarted node

DESCRIPTIONS: Final = {
    1002: "the service received invalid frames",
    1003: "the service does not accept this frame type",
    1007: "the service received text that is not UTF-8",
    1009: "the message was too large",
    4000: "the service could not decode the messages",
    4001: "the driver token is unknown, or a new token has replaced it",
    4003: "this driver may not connect",
    4008: "the client did not authenticate in time",
    4009: "another connection of the same driver has replaced this one",
    4010: "the session is over",
    4011: "the driver was deleted",
    4029: "too many connections from this address",
}


class CloseAction(StrEnum):
    """What to do after a close."""

    STOP = "stop"
    RETRY = "retry"  # exponential back-off with full jitter
    RESTART = "restart"  # the server restarts: reconnect at a random moment of the next 15 s


def after_close(code: int) -> CloseAction:
    """Return what a close code requires. For unknown codes the hundreds decide."""
    if code == 1000 or code in DESCRIPTIONS or 4000 <= code <= 4099:
        return CloseAction.STOP
    return CloseAction.RESTART if code in {1001, 1012} else CloseAction.RETRY


def after_http_error(status: int) -> CloseAction:
    """Return what an HTTP error in place of the handshake requires."""
    return CloseAction.STOP if 400 <= status < 500 and status not in {408, 425, 429} else CloseAction.RETRY


def announced_pause(reason: str) -> float | None:
    """Return the seconds that a node asks for when it stops and others serve: `restarting, retry_s=1.25`."""
    found = re.search(r"\bretry_s=(\d+(?:\.\d+)?)", reason)
    return None if found is None else min(RESTART_SPREAD, float(found[1]))


def pause(action: CloseAction, attempt: int, random: Random, announced: float | None = None) -> float:
    """Return the seconds to wait before an attempt, counted from 0 since the last stable connection.

    *announced* is what `announced_pause` returns for the close; the service has chosen it at random.
    """
    if action is CloseAction.RESTART and attempt == 0:
        return random.uniform(0.0, RESTART_SPREAD) if announced is None else announced
    return random.uniform(0.0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt, 10)))


def describe_close(code: int, reason: str = "") -> str:
    """Return one line such as `4009: another connection …`."""
    description = DESCRIPTIONS.get(code, reason or "the service closed the connection")
    return f"{code}: {description}"


class PermanentDisconnect(Exception):
    """The service forbids reconnecting unchanged; the text gives the reason."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(describe_close(code, reason))
        self.code = code
