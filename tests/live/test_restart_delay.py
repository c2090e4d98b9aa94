"""When the clients of a node that stops reconnect."""

import re

import pytest

from tracker.live.restart import Restart, spread_s


@pytest.mark.parametrize(
    ("clients", "others", "spread"),
    [
        (10, 0, 15.0),  # the node itself has to come back
        (10, 1, 1.0),
        (900, 1, 3.0),
        (900, 2, 1.5),
        (100_000, 1, 15.0),
    ],
)
def test_other_nodes_take_clients_as_fast_as_they_can(clients: int, others: int, spread: float) -> None:
    """At most 15 s, which clients expect; with other nodes 300 clients a second for each of them."""
    assert spread_s(clients, others) == spread


def test_each_client_gets_a_delay_of_its_own() -> None:
    """In the reason of the close frame, within the spread."""
    restart = Restart()
    restart.spread_s = 2.0
    reasons = {restart.reason() for _ in range(50)}
    found = [re.fullmatch(r"restarting, retry_s=(\d\.\d\d)", reason) for reason in reasons]
    assert all(one is not None and float(one[1]) <= 2.0 for one in found)
    assert len(reasons) > 10
