"""From bytes on a line to what was said."""

import httpx

from tests.privacy.exchanges import Exchange, Published, Reading, Record, Said
from tests.privacy.recording import JUDGE, verdict
from tests.receiver import Receiver

ASKED = b"GET /v1/track/x/%s HTTP/1.1\r\nHost: here\r\n\r\n"


def read(*said: tuple[bool, bytes]) -> list[Record]:
    """One byte at a time, as the worst network would bring it."""
    reading = Reading()
    pieces = [(0.0, by_client, bytes([byte])) for by_client, data in said for byte in data]
    return list(reading.read(pieces))


def test_an_answer_is_read_with_its_request() -> None:
    """With a length, in chunks, one after the other on one line."""
    answers = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    )
    records = read(*(part for answer in answers for part in ((True, ASKED % b"poll"), (False, answer))))
    assert [(one.path, one.status, one.answer) for one in records if isinstance(one, Exchange)] == [
        ("/v1/track/x/poll", status, body) for status, body in [(200, b"{}"), (200, b"{}"), (204, b"")]
    ]


def test_events_are_read_as_they_come() -> None:
    """A stream has no end, so nothing may wait for it."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    event = b"event: update\nid: 1\ndata: {}\n\n"
    records = read((True, ASKED % b"events"), (False, head + b"%x\r\n%b\r\n" % (len(event), event)))
    assert [one.text for one in records if isinstance(one, Said)] == ["{}"]


def test_sockets_are_read_in_both_directions() -> None:
    """Text and binary frames, in fragments too, masked by clients."""
    upgraded = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    frames = b"\x01\x01{\x80\x01}" + b"\x82\x01\x80"
    masked = b"\x81\x82\x00\x00\x00\x00{}"
    records = read((True, ASKED % b"stream"), (False, upgraded + frames), (True, masked))
    said = [(one.by_client, one.text) for one in records if isinstance(one, Said)]
    assert said == [(False, "{}"), (False, b"\x80"), (True, "{}")]


async def test_what_webhooks_deliver_is_judged() -> None:
    """As what is said to customers; the rules of PINs and places off duty are for everybody."""
    before = JUDGE.heard[Published]
    async with Receiver.open() as receiver, httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(receiver.url, json={"type": "webhook.test"})).status_code == 204
    assert verdict() == []
    assert JUDGE.heard[Published] == before + 1
