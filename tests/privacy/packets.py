"""Packets: what a service and an MQTT broker said on one line, read as MQTT 3.1.1."""

from collections.abc import Iterable, Iterator
from typing import Final

from tests.privacy.exchanges import Published, Unreadable

PUBLISH: Final = 3
LONGEST: Final = 4  # bytes of a length


class PacketReading:
    """One line, read as it grows; the service is the broker's client."""

    def __init__(self) -> None:
        self._data = {True: bytearray(), False: bytearray()}  # not read yet, by who said it
        self._broken = False

    def read(self, said: Iterable[tuple[float, bool, bytes]]) -> Iterator[Published | Unreadable]:
        """What became whole by these bytes."""
        for at, by_client, data in said:
            self._data[by_client] += data
            while not self._broken and (packet := self._take(self._data[by_client])) is not None:
                first, rest = packet
                if first >> 4 == PUBLISH:
                    length = int.from_bytes(rest[:2])
                    begin = (
                        2 + length + (2 if first & 0b110 else 0)
                    )  # a number, unless it is sent at most once
                    topic = rest[2 : 2 + length].decode("utf-8", "replace")
                    yield Published(at, by_client, topic, rest[begin:])
            if self._broken and by_client:
                yield Unreadable(at, bytes(self._data[True]))
                self._data[True].clear()

    def _take(self, data: bytearray) -> tuple[int, bytes] | None:
        """The next packet: its first byte, and what comes after its length."""
        length = 0
        for index, byte in enumerate(data[1 : 1 + LONGEST], 1):
            length += (byte & 127) << 7 * (index - 1)
            if byte < 128:
                end = index + 1 + length
                if len(data) < end:
                    return None
                packet = data[0], bytes(data[index + 1 : end])
                del data[:end]
                return packet
        self._broken = len(data) > LONGEST
        return None
