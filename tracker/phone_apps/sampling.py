"""Remote sampling: when to send an app the interval at which it should report."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from tracker.domain.reporting_policy import Policy
from tracker.phone_apps.report import Format

REPEAT_AFTER: Final = timedelta(minutes=10)  # an answer can be lost, and the driver can change the setting
MOST_APPS: Final = 10_000  # the app that was told first is forgotten first


class RemoteSampling:
    """What each driver's app was told last. A node that starts anew tells it once more."""

    __slots__ = ("_sent",)

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[str, Format], tuple[Policy, datetime]] = OrderedDict()

    def due(self, driver_id: str, format_: Format, policy: Policy, now: datetime) -> Policy | None:
        """Return *policy* if the answer to this app should hold it now; None if the app has it."""
        key = driver_id, format_
        sent = self._sent.get(key)
        if sent is not None and sent[0] == policy and now - sent[1] < REPEAT_AFTER:
            return None
        self._sent[key] = policy, now
        self._sent.move_to_end(key)
        if len(self._sent) > MOST_APPS:
            self._sent.popitem(last=False)
        return policy
