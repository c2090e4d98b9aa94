"""What can go wrong, as one tree. HTTP statuses and close codes are given at the edge, in `api.errors`.

TrackerError
├── ConfigError            a setting is missing, unknown or wrong: the start stops
├── BadInput               somebody sent something we cannot take
│   ├── Unparsable         not even readable
│   ├── InvalidFields      readable, but with wrong values, each named
│   └── TooLarge           more than the limit
├── AccessError
│   ├── Unauthenticated    no token, or one that is not known
│   └── Forbidden          known, but not for this
├── NotFound               does not exist, or is not yours: nobody can tell which
├── Conflict               not in this state
│   ├── ForbiddenTransition
│   ├── NoSequence         no way leads through all stops of a driver
│   └── IdempotencyMismatch
├── Throttled              too much at once; the same later is welcome
│   ├── TooManyConnections
│   └── RateLimited
├── StorageUnavailable     the database is away; nothing was acknowledged
├── MapUnavailable         there is nothing to draw the map from, or not yet
└── RoutingError
    ├── NoRoute            there is no way between these places
    └── RouterUnavailable  the engine is down, or took too long
"""

from collections.abc import Iterable
from itertools import islice
from typing import Final, NamedTuple

NAMED: Final = 50  # wrong fields of one request


class TrackerError(Exception):
    """The root: catch this at the edge and nowhere else."""


class ConfigError(TrackerError):
    """A setting that stops the start; says how to mend it."""

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(f"{setting}: {why}")
        self.setting = setting
        self.why = why


class BadInput(TrackerError):
    """Something was sent that we cannot take."""


class Unparsable(BadInput):
    """The bytes are not the format they claim to be."""


class FieldError(NamedTuple):
    """One wrong value: where it stands, and what would have been right."""

    field: str
    detail: str


class InvalidFields(BadInput):
    """Readable input whose values are wrong; the first `NAMED` wrong fields are named, the rest counted."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        each = iter(errors)
        self.errors = tuple(islice(each, NAMED))
        self.more = sum(1 for _ in each)
        named = "; ".join(f"{error.field}: {error.detail}" for error in self.errors)
        super().__init__(f"{named}; and {self.more} more" if self.more else named)


class TooLarge(BadInput):
    """More bytes than we take."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The limit is {limit} bytes.")
        self.limit = limit


class AccessError(TrackerError):
    """Somebody asks who may not."""


class Unauthenticated(AccessError):
    """No token, or one that is not known (any more)."""


class Forbidden(AccessError):
    """A good token, but without the scope for this."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This needs an API key with the scope {scope!r}.")
        self.scope = scope


class NotFound(TrackerError):
    """Does not exist, or is not the asker's; the answer is the same for both."""

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no such {what}.")
        self.what = what


class Conflict(TrackerError):
    """The request is well formed, but not possible in the present state."""


class ForbiddenTransition(Conflict):
    """An order cannot go from this status to that one; the possible ones are named."""

    def __init__(self, status: str, wanted: str, allowed: Iterable[str]) -> None:
        self.status, self.wanted, self.allowed = status, wanted, tuple(allowed)
        possible = ", ".join(self.allowed) or "none"
        super().__init__(f"An order that is {status} cannot become {wanted}; allowed: {possible}.")


class NoSequence(Conflict):
    """The driver's stops cannot be sequenced: no way leads through all of them."""


class IdempotencyMismatch(Conflict):
    """An Idempotency-Key came again with another body."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used before with another body.")


class Throttled(TrackerError):
    """Too much at once."""


class TooManyConnections(Throttled):
    """More live views than one link or one address may have."""


class RateLimited(Throttled):
    """More of something than its limit a minute; `after_s`: when it is welcome again, if known."""

    def __init__(self, why: str, *, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


class StorageUnavailable(TrackerError):
    """The database does not answer; nothing of this request was acknowledged."""


class MapUnavailable(TrackerError):
    """The tiles or addresses of the map are not there: being prepared, or their preparation failed."""


class RoutingError(TrackerError):
    """The router gave no route."""


class NoRoute(RoutingError):
    """No way between these places: cut streets, or a place off the map."""


class RouterUnavailable(RoutingError):
    """The engine is not there, or took longer than its time."""
