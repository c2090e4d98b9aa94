"""What dispatchers are sent: the newest state of what changed, in their part of the map, encoded once."""

import asyncio
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.area import Area
from tracker.live.board import rows as board_rows
from tracker.live.board.rows import FleetRows
from tracker.live.board.subscription import UPDATE_GAP_S, FleetSubscription
from tracker.messages import Position, WireDuty
from tracker.messages.dispatchers import FleetDriver

NOW: Final = "2026-11-22T16:43:00.250Z"


def driver(id_: str, lon: float | None = 24.9, *, lat: float = 60.2, name: str = "Aino") -> FleetDriver:
    """A driver as the board has them; without *lon*, nobody knows where."""
    return FleetDriver(
        id=id_,
        position=None if lon is None else Position(lat, lon, None, None, None, NOW),
        freshness="none" if lon is None else "live",
        name=name,
        vehicle="car",
        reference=None,
        duty=WireDuty(on=True, on_break=False),
        device=None,
        silence=None,
        off_route=False,
        orders=[],
    )


class Client:
    """A dispatcher's page: it applies what it is sent."""

    def __init__(self, rows: FleetRows) -> None:
        self.subscription = FleetSubscription(rows, lambda: NOW)
        self.drivers: dict[str, dict[str, Any]] = {}
        self.last: dict[str, Any] = {}

    def take_all(self) -> None:
        """Take what is due, without waiting for the pause between updates."""
        for text in self.subscription.drain():
            self._apply(msgspec.json.decode(text))

    def _apply(self, message: dict[str, Any]) -> None:
        if message.get("first"):
            self.drivers = {}
        for one in message["drivers"]:
            self.drivers.setdefault(one["id"], {}).update(one)
        for id_ in message.get("gone_drivers", ()):
            self.drivers.pop(id_, None)
        self.last = message

    def place(self, id_: str) -> float | None:
        position = self.drivers[id_]["position"]
        return None if position is None else position["lon"]


def test_a_snapshot_comes_in_parts_and_then_only_what_changed() -> None:
    """A move brings the position alone, anything else the whole driver, nothing nothing."""
    rows = FleetRows()
    for number in range(1_200):
        rows.put_driver(driver(f"drv_{number}"))
    client = Client(rows)
    parts = [msgspec.json.decode(part) for part in client.subscription._parts]
    assert [(part["first"], part["last"], len(part["drivers"])) for part in parts] == [
        (True, False, 500),
        (False, False, 500),
        (False, True, 200),
    ]
    assert client.subscription._update() is None
    rows.put_driver(driver("drv_7", 25.0))
    rows.put_driver(driver("drv_8", 25.0))
    rows.put_driver(driver("drv_8", 25.1))
    rows.put_driver(driver("drv_9", name="Eino"))
    rows.put_driver(driver("drv_10"))
    client.take_all()
    sent = {one["id"]: one for one in client.last["drivers"]}
    assert sent.keys() == {"drv_7", "drv_8", "drv_9"}
    assert sent["drv_7"].keys() == {"id", "position", "freshness"}
    assert sent["drv_8"]["position"]["lon"] == 25.1
    assert sent["drv_9"]["name"] == "Eino"


def test_an_empty_fleet_has_a_snapshot_too() -> None:
    """So that the page knows that it is up to date."""
    (part,) = [msgspec.json.decode(part) for part in FleetSubscription(FleetRows(), lambda: NOW)._parts]
    assert part == {"type": "snapshot", "now": NOW, "first": True, "last": True, "drivers": [], "orders": []}


def test_each_driver_is_encoded_once_for_all_dispatchers(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many watch."""
    rows, encode = FleetRows(), board_rows._encode
    encoded: list[str] = []

    def note(wire: Any) -> bytes:
        encoded.append(wire.id)
        return encode(wire)

    monkeypatch.setattr(board_rows, "_encode", note)
    rows.put_driver(driver("drv_1"))
    clients = [Client(rows) for _ in range(20)]
    for client in clients:
        client.take_all()
    rows.put_driver(driver("drv_1", 25.0))
    for client in clients:
        client.take_all()
        assert client.place("drv_1") == 25.0
    assert encoded == ["drv_1", "drv_1"]


def test_a_viewport_limits_positions_and_leaves_no_ghosts() -> None:
    """One who leaves it is sent once more; outside, only what is not the position. Also across ±180°."""
    rows = FleetRows()
    rows.put_driver(driver("drv_in", 179.0))
    rows.put_driver(driver("drv_out", 0.0))
    client = Client(rows)
    client.take_all()
    client.subscription.look_at(Area(170.0, 50.0, -170.0, 70.0))
    client.take_all()
    rows.put_driver(driver("drv_in", -179.0))
    rows.put_driver(driver("drv_out", 1.0))
    client.take_all()
    assert [one["id"] for one in client.last["drivers"]] == ["drv_in"]
    rows.put_driver(driver("drv_out", 2.0, name="Eino"))
    client.take_all()
    assert client.last["drivers"][0]["name"] == "Eino"
    assert "position" not in client.last["drivers"][0]
    rows.put_driver(driver("drv_in", 160.0))
    client.take_all()
    assert client.place("drv_in") == 160.0
    rows.put_driver(driver("drv_in", 150.0))
    client.take_all()
    assert client.place("drv_in") == 160.0
    client.subscription.look_at(None)
    client.take_all()
    assert (client.place("drv_in"), client.place("drv_out")) == (150.0, 2.0)


def test_who_is_gone_is_gone_at_once_and_who_missed_too_much_begins_anew() -> None:
    """An erased driver is in no later message, not even in the rest of a snapshot."""
    rows = FleetRows()
    for number in range(600):
        rows.put_driver(driver(f"drv_{number}"))
    client = Client(rows)
    first = next(client.subscription._parts)
    assert "drv_599" not in first
    rows.remove_driver("drv_599")
    client._apply(msgspec.json.decode(first))
    client.take_all()
    assert len(client.drivers) == 599
    rows.remove_driver("drv_0")
    client.take_all()
    assert client.last["gone_drivers"] == ["drv_0"]
    for number in range(board_rows.GONE_KEPT + 1):
        rows.put_driver(driver(f"drv_x{number}"))
        rows.remove_driver(f"drv_x{number}")
    rows.remove_driver("drv_1")
    client.take_all()
    assert len(client.drivers) == 597


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([None, -5.0, 0.0, 5.0]), st.sampled_from("xy")),
        max_size=30,
    ),
    st.lists(st.booleans(), max_size=30),
    st.lists(st.sampled_from([None, Area(-1.0, 0.0, 1.0, 90.0), Area(4.0, 0.0, 6.0, 90.0)]), max_size=30),
)
def test_what_a_client_shows_in_its_viewport_is_true(
    steps: list[tuple[str, float | None, str]], reads: list[bool], viewports: list[Area | None]
) -> None:
    """Whatever happens in which sequence, and however seldom it reads."""
    rows, viewport = FleetRows(), None
    client = Client(rows)
    for number, (id_, lon, name) in enumerate(steps):
        rows.put_driver(driver(id_, lon, name=name))
        if number < len(viewports):
            viewport = viewports[number]
            client.subscription.look_at(viewport)
        if number < len(reads) and reads[number]:
            client.take_all()
    client.take_all()
    for id_, row in rows.drivers.items():
        assert client.drivers[id_]["name"] == row.wire.name
        shown, true = client.place(id_), None if row.place is None else row.place.lon
        inside = [
            lon is not None and (viewport is None or viewport.west <= lon <= viewport.east)
            for lon in (shown, true)
        ]
        assert shown == true or inside == [False, False]


async def test_updates_come_at_most_once_a_second() -> None:
    """What changes in between is in the next one, as its newest state."""
    rows, clock = FleetRows(), asyncio.get_running_loop().time
    rows.put_driver(driver("drv_1"))
    subscription = FleetSubscription(rows, lambda: NOW)
    assert '"snapshot"' in (await subscription.next() or "")
    rows.put_driver(driver("drv_1", 25.0))
    subscription.notify()
    assert '"lon":25.0' in (await subscription.next() or "")
    sent_at = clock()
    for lon in (25.1, 25.2):
        rows.put_driver(driver("drv_1", lon))
        subscription.notify()
    assert '"lon":25.2' in (await subscription.next() or "")
    assert clock() - sent_at >= UPDATE_GAP_S - 0.02
    subscription.close()
    assert await subscription.next() is None
