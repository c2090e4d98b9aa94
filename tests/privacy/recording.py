"""Recordings: the relays of all services that tests have started, and the verdict after each test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from tests.privacy.exchanges import Exchange, Reading, Record
from tests.privacy.judge import Judge, Violation
from tests.privacy.relay import Relay


class Recording:
    """One service's relay, read as far as it goes."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self._readings: dict[int, Reading] = {}

    def take(self) -> Iterator[tuple[float, int, Record]]:
        """What became whole since this was asked last: when, on which line, what."""
        for line in list(self.relay.lines):
            was_closed = line.is_closed
            reading = self._readings.setdefault(line.number, Reading())
            yield from ((_at(record), line.number, record) for record in reading.read(line.take()))
            if was_closed:
                self.relay.lines.remove(line)
                del self._readings[line.number]


def _at(record: Record) -> float:
    return record.answered_at if isinstance(record, Exchange) else record.at


JUDGE: Final = Judge()  # one for all: an order lives on when its service is killed and another takes over
_recordings: Final[list[Recording]] = []  # of services that run now, or ran in the present test


@contextmanager
def recorded(url: str) -> Iterator[str]:
    """The address of a relay before the service at `url`; what goes through it is judged after each test."""
    where = urlsplit(url)
    assert where.hostname is not None
    assert where.port is not None
    relay = Relay((where.hostname, where.port))
    with relay.running():
        _recordings.append(Recording(relay))
        yield f"http://127.0.0.1:{relay.address[1]}"


def verdict() -> list[Violation]:
    """What customers of all services were told since the last verdict, and must not have been."""
    records = [record for recording in _recordings for record in recording.take()]
    _recordings[:] = [recording for recording in _recordings if recording.relay.is_running]
    return JUDGE.hears(sorted(records, key=lambda record: record[:2]))
