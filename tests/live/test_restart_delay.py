"""When the clients of a node that stops leave it, and when they reconnect."""

import re

import pytest

from tracker.live.restart import Restart


@pytest.mark.parametrize(
    ("clients", "others", "each", "latest"),
    [
        (10, 0, 0.0, 15.0),  # the node itself has to come back
        (10, 1, 0.01, 0.1),
        (800, 1, 0.01, 0.1),
        (800, 2, 0.005, 0.1),
        (1_000, 1, 0.01, 2.1),
        (100_000, 1, 0.01, 15.0),
    ],
)
def test_other_nodes_take_clients_as_fast_as_they_can(
    clients: int, others: int, each: float, latest: float
) -> None:
    """They leave one by one and return at once. Those who are too many for that wait, at most 15 s."""
    restart = Restart()
    restart.begin(clients, others)
    assert restart.each_s == each
    assert max(restart.delay_s() for _ in range(2_000)) == pytest.approx(latest, abs=0.1)


def test_each_client_gets_a_delay_of_its_own() -> None:
    """In the reason of the close frame. It is never 0, which pages take for none."""
    restart = Restart()
    restart.begin(1_000, 1)
    reasons = {restart.reason() for _ in range(500)}
    found = [re.fullmatch(r"restarting, retry_s=(\d\.\d\d)", reason) for reason in reasons]
    assert all(one is not None and 0.1 <= float(one[1]) <= 2.1 for one in found)
    assert len(reasons) > 10
