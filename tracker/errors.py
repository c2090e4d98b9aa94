"""The error tree. `api.errors` maps it to HTTP statuses and close codes.

TrackerError
├── ConfigError            a setting is missing, unknown or wrong; the start stops
├── BadInput               the client sent invalid input
│   ├── Unparsable         not the expected format
│   ├── InvalidFields      the right format with wrong values, each named
│   │   └── AddressNotFound
│   └── TooLarge           over the size limit
├── AccessError
│   ├── Unauthenticated    no token, or an unknown one
│   ├── Forbidden          a known token without the right scope
│   └── ForeignOrigin      a session's cookie, but not from a page of this service
├── NotFound               does not exist or belongs to another client; the answer is the same
│   └── UnknownPairingCode
├── CursorGone             events after this cursor are not kept any more
├── Conflict               not possible in the current state
│   ├── ForbiddenTransition
│   ├── ProofMissing       the stop needs proofs that its driver has not given
│   ├── NoSequence         no route leads through all stops of a driver
│   ├── StaleVersion       the order has another version than the client expects
│   └── IdempotencyMismatch
├── Throttled              over a rate or connection limit; retry later
│   ├── TooManyConnections
│   └── RateLimited
├── StorageUnavailable     the database is unavailable; nothing was acknowledged
│   └── OwnerUnavailable   the node that owns the driver's trip does not answer
├── LeaseLost              another node owns the driver's trip now
├── BusUnavailable         no other node answered; PostgreSQL decides
├── MapUnavailable         map data is missing or still being prepared
└── RoutingError
    ├── NoRoute            no route connects these places
    └── RouterUnavailable  the router is down or timed out
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

NAMED: Final = 50  # wrong fields named in one error


class TrackerError(Exception):
    """Root of all errors of this service. Catch it only where an answer or an exit status is made of it."""


class ConfigError(TrackerError):
    """A setting stops the start; the text says how to fix it."""

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(f"{setting}: {why}")
        self.setting = setting
        self.why = why


class BadInput(TrackerError):
    """The client sent invalid input."""


class Unparsable(BadInput):
    """The bytes are not in the expected format."""


class FieldError(NamedTuple):
    """One wrong value: its path, and what is allowed."""

    field: str
    detail: str


class InvalidFields(BadInput):
    """The input has wrong values. The first `NAMED` wrong fields are named, the rest counted."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        each = iter(errors)
        self.errors = tuple(islice(each, NAMED))
        self.more = sum(1 for _ in each)
        named = "; ".join(f"{error.field}: {error.detail}" for error in self.errors)
        super().__init__(f"{named}; and {self.more} more" if self.more else named)


class Candidate(NamedTuple):
    """An address of the map that the client may have meant."""

    address: str
    lat: float  # degrees
    lon: float  # degrees
    precision: str  # house, street or place


class AddressNotFound(InvalidFields):
    """An address fits nothing on the map, or several places; the nearest candidates are named."""

    def __init__(self, errors: Iterable[FieldError], candidates: Mapping[str, Sequence[Candidate]]) -> None:
        super().__init__(errors)
        self.candidates = candidates  # by field


class TooLarge(BadInput):
    """The input is over the size limit, in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The limit is {limit} bytes.")
        self.limit = limit


class AccessError(TrackerError):
    """The client may not do this."""


class Unauthenticated(AccessError):
    """The token is missing, unknown or revoked."""


class CustomerMayNot(AccessError):
    """The merchant's brand does not allow customers to do this."""


class Forbidden(AccessError):
    """The API key is valid but lacks the scope."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This needs an API key with the scope {scope!r}.")
        self.scope = scope


class ForeignOrigin(AccessError):
    """A browser's session may change something only from this service's own pages."""

    def __init__(self) -> None:
        super().__init__(
            "With a session's cookie, a change or socket needs the `Origin` of this service. Behind a proxy, "
            "set TRACKER_PUBLIC_URL, or TRACKER_TRUSTED_PROXIES and X-Forwarded-Proto and -Host."
        )


class NotFound(TrackerError):
    """The object does not exist or belongs to another client; the answer is the same for both."""

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no such {what}.")
        self.what = what


class UnknownPairingCode(NotFound):
    """A pairing code is unknown, used or expired; the answer is the same for all."""

    def __init__(self) -> None:
        super().__init__("pairing code: it may be used or expired, so ask for a new one")


class CursorGone(TrackerError):
    """The list of events does not hold what follows this cursor; the client has to begin anew."""


class Conflict(TrackerError):
    """The request is well formed, but not possible in the current state."""


class ForbiddenTransition(Conflict):
    """The order cannot change from its status to the requested one. The allowed ones are named."""

    def __init__(self, status: str, wanted: str, allowed: Iterable[str]) -> None:
        self.status, self.wanted, self.allowed = status, wanted, tuple(allowed)
        possible = ", ".join(self.allowed) or "none"
        super().__init__(f"An order that is {status} cannot become {wanted}; allowed: {possible}.")


class ProofMissing(Conflict):
    """The driver has not proved what the stop needs."""

    def __init__(self, stop: str, missing: Iterable[str]) -> None:
        super().__init__(f"The {stop} still needs a proof: {', '.join(missing)}.")


class NoSequence(Conflict):
    """The driver's stops cannot be sequenced: no route leads through all of them."""


class StaleVersion(Conflict):
    """The order has another version than the client expects."""

    def __init__(self, version: int) -> None:
        super().__init__(f"The order has version {version}, which If-Match does not name; read it again.")


class IdempotencyMismatch(Conflict):
    """An Idempotency-Key was reused with another body."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used before with another body.")


class AnswerErased(Conflict):
    """An Idempotency-Key was used for a request whose response has been erased with personal data."""

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used before. Its response was erased with personal data; "
            "nothing is created again."
        )


class Throttled(TrackerError):
    """A rate or connection limit is exceeded."""


class TooManyConnections(Throttled):
    """One link or one address has as many live views as it may have."""


class RateLimited(Throttled):
    """A rate limit is exceeded; `after_s` is the seconds until a retry can succeed, if known."""

    def __init__(self, why: str, *, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


class StorageUnavailable(TrackerError):
    """The database is unavailable; nothing of this request was acknowledged."""


class OwnerUnavailable(StorageUnavailable):
    """Another node owns the driver's trip and does not answer. It runs, or its lease has not run out."""

    def __init__(self) -> None:
        super().__init__("Another node owns this driver's trip and does not answer; retry in a few seconds.")


class LeaseLost(TrackerError):
    """Another node has become the owner of the driver's trip; nothing of this batch was stored."""

    def __init__(self) -> None:
        super().__init__("Another node owns this driver's trip now.")


class BusUnavailable(TrackerError):
    """No other node answered over the bus."""


class MapUnavailable(TrackerError):
    """The tiles or addresses of the map are still being prepared, or their preparation failed."""


class RoutingError(TrackerError):
    """The router returned no route."""


class NoRoute(RoutingError):
    """No route connects these places: the street network is not connected, or a place is off the map."""


class RouterUnavailable(RoutingError):
    """The router is down or timed out."""
