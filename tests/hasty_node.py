"""`tracker` with short time limits, for tests that would otherwise only wait for them."""

from datetime import timedelta
from typing import Final

from tracker import __main__ as command
from tracker.api import client_backoff
from tracker.api.merchant.events import feed
from tracker.eta import trainer
from tracker.system import certificates
from tracker.webhooks import sender
from tracker.websocket import read_limiter

PROGRAM: Final = "tests.hasty_node"
MAX_DELAY: Final = 1.0  # seconds instead of 5
FLOOD: Final = 300  # slowed frames, of 5 ms each, instead of 5,000
WATCH_EVERY_S: Final = 0.2  # instead of 2
TRAIN_EVERY: Final = 0.5  # seconds instead of 5
HEARTBEAT_S: Final = 0.5  # seconds instead of 15
LEASE: Final = timedelta(seconds=2)  # instead of 20

if __name__ == "__main__":
    for module, name in (
        (client_backoff, "MAX_DELAY"),
        (read_limiter, "FLOOD"),
        (certificates, "WATCH_EVERY_S"),
        (trainer, "TRAIN_EVERY"),
        (feed, "HEARTBEAT_S"),
        (sender, "LEASE"),
    ):
        assert hasattr(module, name)
        setattr(module, name, globals()[name])
    command.main()
