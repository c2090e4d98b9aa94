"""RFC 6455 by the cases of the Autobahn test suite, which others' servers are measured by."""

import asyncio

import pytest
from kosoku import run_fuzzingclient

from tests.echo import echo_server

# 9: messages of megabytes, and ours are limited. 12, 13: compression, which is never agreed on.
LEFT_OUT = ["9.*", "12.*", "13.*"]
CASES = 247
WITHIN = 60.0  # seconds


@pytest.mark.parametrize("taking_over", [True, False], ids=["ours", "quart"])
async def test_every_case_of_the_suite_passes(*, taking_over: bool) -> None:
    """Framing, fragments, pings, reserved bits, opcodes, UTF-8 and goodbyes; a failed case is named."""
    async with echo_server(taking_over=taking_over) as echo, asyncio.timeout(WITHIN):
        results = await run_fuzzingclient(f"127.0.0.1:{echo.port}", None, LEFT_OUT, concurrency=4)
    assert len(results) == CASES
