"""The description is taken at its word by a fuzzer: whatever it sends, no call is answered with our fault."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.service import ADMIN_KEY, running_service, token_of

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
WITHIN = 300.0  # seconds
LOUDEST = ("request_crashed", "request_failed", "crashed", "library")
# Things that exist, so that the calls get further than to a 404.
SETTINGS = """
[parameters]
"path.driver_id" = "{}"
"path.order_id" = "{}"
"path.token" = "{}"

[[operations]]
include-name = "POST /v1/drivers/fixes"
headers = {{ Authorization = "Bearer {}" }}

[[operations]]
include-name = "POST /v1/orders/{{order_id}}/proofs"
headers = {{ Authorization = "Bearer {}" }}
"""


async def test_no_call_of_the_description_ends_in_our_fault(
    data_dir: Path, database_url: str, tmp_path: Path
) -> None:
    """Good and bad input for every call, seeded: no 5xx, no crash, no answer that is not described."""
    async with running_service(data_dir, database_url) as service:
        driver, courier = await service.new_driver(), await service.new_driver()
        order = await service.new_order(driver["id"])
        (tmp_path / "schemathesis.toml").write_text(
            SETTINGS.format(driver["id"], order["id"], token_of(order), courier["token"], driver["token"]),
            encoding="utf-8",
        )
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).parent / "schemathesis"), "run", f"{service.url}/openapi.json"),
            *("--checks", CHECKS, "--mode", "all", "--phases", "examples,coverage,fuzzing"),
            *("--max-examples", "4", "--seed", "4", "--max-response-time", "20", "--request-timeout", "20"),
            *("--exclude-path-regex", "events|poll|stream", "--generation-database", "none", "--no-color"),
            *("--header", f"Authorization: Bearer {ADMIN_KEY}"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        async with asyncio.timeout(WITHIN):
            told = (await process.communicate())[0].decode()
        logged = service.log.read_text()
    assert process.returncode == 0, told[-6_000:]
    assert [line for line in logged.splitlines() if any(f'"event": "{one}"' in line for one in LOUDEST)] == []
