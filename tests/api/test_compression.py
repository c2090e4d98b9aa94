"""gzip: for answers over 1 kB, if the client accepts it."""

import gzip
import re

import httpx
import pytest

from tests.service import Service, token_of

GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}


async def raw(service: Service, path: str, headers: dict[str, str]) -> tuple[httpx.Response, bytes]:
    """Return an answer and its bytes as they came."""
    async with service.http.stream("GET", path, headers=headers) as answer:
        return answer, b"".join([piece async for piece in answer.aiter_raw()])


def without_digits(content: bytes) -> bytes:
    """The page says when it was made."""
    return re.sub(rb"\d", b"", content)


async def paths_of_an_order(service: Service) -> list[str]:
    order = await service.new_order(customer={"name": "Aino " * 30, "email": "a" * 200})
    path = f"/v1/orders/{order['id']}"
    public = ("/openapi.json", "/asyncapi.json", "/problems")
    return [path, f"{path}/history", *public, f"/t/{token_of(order)}"]


async def test_a_large_answer_is_compressed_if_accepted(service: Service) -> None:
    """The same content, and smaller; caches learn that it depends on the client."""
    for path in await paths_of_an_order(service):
        plain, content = await raw(service, path, PLAIN)
        assert "Content-Encoding" not in plain.headers, path
        assert len(content) > 1_024, path
        packed, sent = await raw(service, path, GZIP)
        assert packed.headers["Content-Encoding"] == "gzip", path
        assert int(packed.headers["Content-Length"]) == len(sent) < len(content), path
        assert without_digits(gzip.decompress(sent)) == without_digits(content), path
        assert "accept-encoding" in plain.headers["Vary"].lower(), path
        assert packed.headers["Vary"] == plain.headers["Vary"], path


@pytest.mark.parametrize("accepted", ["gzip;q=0", "br", "identity", "*;q=0"])
async def test_a_client_without_gzip_gets_none(service: Service, accepted: str) -> None:
    """Whatever else it accepts."""
    answer, content = await raw(service, "/openapi.json", {"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers
    assert content.startswith(b"{")


async def test_small_answers_stay_as_they_are(service: Service) -> None:
    """Problems, too."""
    for path in ("/livez", "/v1/orders/ord_none", "/robots.txt"):
        answer, _ = await raw(service, path, GZIP)
        assert "Content-Encoding" not in answer.headers, path


async def test_head_says_what_get_would_send(service: Service) -> None:
    """The same headers, and no body."""
    for path in await paths_of_an_order(service):
        head, got = await service.http.head(path, headers=GZIP), await raw(service, path, GZIP)
        assert head.content == b""
        for name in ("Content-Encoding", "Content-Type", "ETag", "Vary"):
            assert head.headers.get(name) == got[0].headers.get(name), (path, name)


async def test_a_stream_of_events_is_never_compressed(service: Service) -> None:
    """A compressor would hold back what it has not filled a block with."""
    order = await service.new_order()
    path = f"/v1/track/{token_of(order)}/events"
    async with service.http.stream("GET", path, headers=GZIP) as answer:
        assert "Content-Encoding" not in answer.headers
        received = b""
        async for piece in answer.aiter_raw():
            received += piece
            if b"event: snapshot" in received:
                return
    raise AssertionError("the stream ended before its snapshot")
