"""Notes of customers, as their drivers get them on sockets."""

from typing import Any

from tests.api.driver.test_roles import drive, welcomed
from tests.service import Service, hear, say, token_of


async def write(service: Service, order: Any, text: str) -> None:
    await service.post(f"/v1/track/{token_of(order)}/messages", {"text": text})


def texts(message: Any) -> list[list[str]]:
    """The texts of the notes of each order."""
    return [[note["text"] for note in order["notes"]] for order in message["orders"]]


async def test_a_driver_gets_the_notes_of_a_time_without_connection(service: Service) -> None:
    """Source and screen; also a note that was sent before the assignment; again after a reconnect."""
    driver, order = await service.new_driver(), await service.new_order()
    await write(service, order, "Ring twice")
    await service.post(f"/v1/orders/{order['id']}/assign", {"driver_id": driver["id"]})
    await write(service, order, "At the back door")
    for _ in range(2):
        async with drive(service) as source, drive(service) as screen:
            for socket, role in (source, "source"), (screen, "screen"):
                welcome = await welcomed(socket, driver["token"], role=role)
                assert texts(welcome) == [["Ring twice", "At the back door"]]


async def test_a_note_to_a_connected_driver_has_one_time(service: Service) -> None:
    """In the orders and in its own message: by it, a client shows the note once."""
    driver, order = await service.new_driver(), await service.new_order()
    await write(service, order, "Ring twice")
    async with service.drive(driver["token"]) as socket:
        assert texts(await hear(socket, "welcome")) == []
        await service.post(f"/v1/orders/{order['id']}/assign", {"driver_id": driver["id"]})
        assert texts(await hear(socket, "orders")) == [["Ring twice"]]
        await write(service, order, "At the back door")
        notes = (await hear(socket, "orders"))["orders"][0]["notes"]
        told = await hear(socket, "message")
        assert notes[1] == {"text": "At the back door", "at": told["at"]}


async def test_a_reassigned_order_takes_its_customers_notes_along(service: Service) -> None:
    """The new driver gets the customer's notes, not the former driver's; that one gets nothing more."""
    former, new = await service.new_driver(), await service.new_driver()
    order = await service.new_order(former["id"])
    await write(service, order, "Ring twice")
    async with service.drive(former["token"]) as socket:
        await say(socket, type="message", id=1, order_id=order["id"], text="Two minutes")
        await hear(socket, "ack")
    await service.post(f"/v1/orders/{order['id']}/assign", {"driver_id": new["id"]})
    async with service.drive(former["token"]) as socket:
        assert (await hear(socket, "welcome"))["orders"] == []
    async with service.drive(new["token"]) as socket:
        assert texts(await hear(socket, "welcome")) == [["Ring twice"]]
