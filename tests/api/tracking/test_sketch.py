"""The sketch that the server draws into the page."""

import json
import re

import msgspec

from tracker.api.tracking.sketch import MARGIN, SIZE, draw
from tracker.messages import LineString, Snapshot
from tracker.system.package_files import folder

SAMPLE = folder("web").parent / "tests/samples/to_customer.snapshot.json"


def snapshot(door: tuple[float, float], courier: tuple[float, float] | None) -> Snapshot:
    """Of an order without a route; places are (lon, lat)."""
    text = json.loads(SAMPLE.read_text(encoding="utf-8"))
    text["order"]["dropoff"] |= {"lon": door[0], "lat": door[1]}
    position = courier and text["position"] | {"lon": courier[0], "lat": courier[1]}
    return msgspec.convert(text | {"position": position, "route": None, "trail": None}, Snapshot)


def test_route_courier_and_door_fit_into_the_picture() -> None:
    """North is up, and east is right."""
    shown = snapshot((24.95, 60.16), (24.94, 60.17))
    shown.route = LineString([(24.94, 60.17), (24.94, 60.16), (24.95, 60.16)])
    sketch = draw(shown)
    assert sketch.courier is not None
    assert sketch.courier[0] < sketch.door[0] and sketch.courier[1] < sketch.door[1]
    numbers = [int(number) for number in re.findall(r"\d+", sketch.route)]
    assert len(numbers) == 6 and sketch.route.startswith("M")
    assert min(numbers) >= MARGIN - 1 and max(numbers) <= SIZE - MARGIN + 1
    assert (sketch.trail, sketch.direct) == ("", "")


def test_without_a_route_a_straight_line_is_drawn_also_across_the_antimeridian() -> None:
    """The shorter way, with the courier east of the door."""
    sketch = draw(snapshot((179.95, -16.8), (-179.85, -16.8)))
    assert sketch.courier is not None and sketch.direct
    assert sketch.courier[0] > sketch.door[0]


def test_a_door_alone_is_in_the_middle() -> None:
    """Before the assignment there is no courier."""
    sketch = draw(snapshot((24.95, 60.16), None))
    assert (sketch.door, sketch.courier, sketch.direct) == ((SIZE // 2, SIZE // 2), None, "")


def test_the_position_in_the_sample_is_drawn() -> None:
    """The sample has a route and a trail."""
    sketch = draw(msgspec.json.decode(SAMPLE.read_bytes(), type=Snapshot))
    assert sketch.route and sketch.trail and sketch.courier
