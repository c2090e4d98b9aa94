"""The PIN and the photo of a delivery on the customer's page, in a real browser."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Browser, expect

from tests.browser import PICTURES, needs_chromium, opened, picture
from tests.service import Service

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]

NARROW = {"width": 320, "height": 640}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_customer_reads_the_pin_and_sees_the_photo(
    service: Service, browser: Browser, scheme: str
) -> None:
    """The PIN until the courier has it, digit by digit for screen readers; the photo once it is delivered."""
    driver = await service.new_driver("Aino Korhonen", "bicycle")
    bearer = {"Authorization": f"Bearer {driver['token']}"}
    order = await service.new_order(driver["id"], requirements={"dropoff": {"pin": True, "photo": True}})
    path = f"/v1/orders/{order['id']}"
    await service.post(f"{path}/status", {"status": "picked_up"})
    looks: Any = {"color_scheme": scheme, "viewport": NARROW, "with_map": PICTURES is not None}
    async with opened(browser, order["tracking_url"], **looks) as page:
        await expect(page.locator("#code")).to_be_visible()
        pin = await page.locator("#code-digits").inner_text()
        assert await page.locator("#code-spoken").text_content() == " ".join(pin)
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        await expect(page.locator("#pill")).to_have_text("Live")
        await picture(page, f"pin-{scheme}")
        form = {"kind": (None, "pin"), "stop": (None, "dropoff"), "value": (None, pin)}
        answer = await service.http.post(f"{path}/proofs", files=form, headers=bearer)
        assert answer.status_code == 201, answer.text
        await expect(page.locator("#code")).to_be_hidden()
        (target := BytesIO()).name = "door.jpg"
        Image.linear_gradient("L").resize((900, 600)).save(target, "JPEG")
        proof = {"kind": (None, "photo"), "stop": (None, "dropoff"), "file": ("door.jpg", target.getvalue())}
        answer = await service.http.post(f"{path}/proofs", files=proof, headers=bearer)  # type: ignore[arg-type]
        assert answer.status_code == 201, answer.text
        await expect(page.locator("#photo")).to_be_hidden()
        await service.post(f"{path}/status", {"status": "delivered"})
        photo = page.locator("#photo")
        await expect(photo).to_be_visible()
        await page.wait_for_function("document.getElementById('photo').naturalWidth === 900")
        await picture(page, f"photo-{scheme}")
        await page.reload()
        await page.wait_for_function("document.getElementById('photo').naturalWidth === 900")


async def test_the_server_writes_both_without_a_script(service: Service, browser: Browser) -> None:
    """For browsers that run none."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], requirements={"dropoff": {"pin": True}})
    async with opened(browser, order["tracking_url"], java_script_enabled=False) as page:
        await expect(page.locator("#code")).to_contain_text("Give this code to the courier:")
        assert len(await page.locator("#code-digits").inner_text()) == 4
        await expect(page.locator("#photo")).to_be_hidden()
