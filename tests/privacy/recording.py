"""Recordings: the relays of all services that tests have started, and the verdict after each test."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from tests.privacy.exchanges import Exchange, Logged, Published, Reading, Record
from tests.privacy.judge import Judge, Violation
from tests.privacy.packets import PacketReading
from tests.privacy.relay import Line, Relay


class LineReading(Protocol):
    """Reads one line as it grows."""

    def read(self, said: Iterator[tuple[float, bool, bytes]]) -> Iterator[Record]: ...


class Recording:
    """One relay, and the log of the service behind it, read as far as they go."""

    def __init__(self, relay: Relay, reading: Callable[[], LineReading], log: Path | None = None) -> None:
        self.relay = relay
        self._reading, self._log = reading, log
        self._readings: dict[int, LineReading] = {}
        self._logged = 0  # bytes that have been read

    def take(self) -> Iterator[tuple[float, int, Record]]:
        """What became whole since this was asked last: when, on which line, what."""
        for line in list(self.relay.lines):
            was_closed = line.is_closed
            yield from self._take_line(line)
            if was_closed:
                self.relay.lines.remove(line)
                self._readings.pop(line.number, None)
        yield from self._take_log()

    def _take_line(self, line: Line) -> Iterator[tuple[float, int, Record]]:
        reading = self._readings.setdefault(line.number, self._reading())
        yield from ((_at(record), line.number, record) for record in reading.read(line.take()))

    def _take_log(self) -> Iterator[tuple[float, int, Record]]:
        if self._log is None:
            return
        with self._log.open("rb") as log:
            log.seek(self._logged)
            whole, newline, _ = log.read().rpartition(b"\n")
        if newline:
            self._logged += len(whole) + 1
            yield time.time(), -1, Logged(time.time(), whole)


def _at(record: Record) -> float:
    return record.answered_at if isinstance(record, Exchange) else record.at


JUDGE: Final = Judge()  # one for all: an order lives on when its service is killed and another takes over
_recordings: Final[list[Recording]] = []  # of services that run now, or ran in the present test
_overheard: Final[list[Published]] = []  # what services sent to others than their clients


@contextmanager
def recorded(url: str, log: Path) -> Iterator[str]:
    """The address of a relay before the service at `url`; what goes through it is judged after each test.

    So is what the service writes to its log.
    """
    where = urlsplit(url)
    assert where.hostname is not None
    assert where.port is not None
    with _relay(where.hostname, where.port, Reading, log) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def recorded_broker(port: int) -> Iterator[int]:
    """The port of a relay before an MQTT broker, for the service; what goes through it is judged, too."""
    with _relay("localhost", port, PacketReading) as own:
        yield own


@contextmanager
def _relay(
    host: str, port: int, reading: Callable[[], LineReading], log: Path | None = None
) -> Iterator[int]:
    relay = Relay((host, port))
    with relay.running():
        _recordings.append(Recording(relay, reading, log))
        yield int(relay.address[1])


def overhear(record: Published) -> None:
    """Judge what a service has sent to another server, such as a webhook, after the test, too."""
    _overheard.append(record)


def verdict() -> list[Violation]:
    """What all services said since the last verdict, and must not have said."""
    records = [record for recording in _recordings for record in recording.take()]
    records += [(record.at, -2, record) for record in _overheard]
    _overheard.clear()
    _recordings[:] = [recording for recording in _recordings if recording.relay.is_running]
    return JUDGE.hears(sorted(records, key=lambda record: record[:2]))


def last_verdict() -> list[Violation]:
    """The verdict at the end of a test."""
    violations = verdict()
    JUDGE.begins_a_test()
    return violations
