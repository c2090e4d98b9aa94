"""`tracker drivers`: the drivers, and pairing codes for their phones."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from tracker.commands.keys import open_existing_database
from tracker.commands.qr import qr_text
from tracker.config import Config
from tracker.database.credentials.driver_tokens import upsert_pairing_code
from tracker.database.drivers import lock_drivers, select_drivers
from tracker.domain.order import Driver
from tracker.errors import NotFound
from tracker.messages import rfc3339
from tracker.phone_apps.pairing import PAIRING_TIME_S, PairingLinks, pairing_links
from tracker.system.progress import Say
from tracker.tokens import hash_pairing_code, new_pairing_code

App = Literal["page", "owntracks", "gpslogger"]

_PAGE_SIZE: Final = 500
_UNREACHABLE: Final = (
    "TRACKER_PUBLIC_URL is not set: phones may not reach {}. Set it to the service's address."
)


class Pairing(msgspec.Struct, frozen=True):
    """A new code, as the API answers it."""

    code: str
    url: str
    expires_at: str
    links: PairingLinks

    def as_text(self, app: App) -> str:
        """Return the QR code of an app's link, the link, the code and its end."""
        link = getattr(self.links, app)
        return f"{qr_text(link)}\n\nlink     {link}\ncode     {self.code}\nexpires  {self.expires_at}"


async def list_drivers(config: Config, say: Say) -> list[Driver]:
    """Return all drivers, newest first."""
    found: list[Driver] = []
    async with open_existing_database(config, say) as database:
        while True:
            before = (found[-1].created_at, found[-1].id) if found else None
            found += (page := await select_drivers(database, _PAGE_SIZE, before))
            if len(page) < _PAGE_SIZE:
                return found


def as_line(driver: Driver) -> str:
    """Describe a driver in one line: id, vehicle, reference and name."""
    return f"{driver.id}  {driver.vehicle:8}  {driver.reference or '-':10}  {driver.name}"


def public_fields(driver: Driver) -> dict[str, str | None]:
    """Return the driver for JSON."""
    return {name: getattr(driver, name) for name in ("id", "name", "vehicle", "reference")}


async def pair_driver(config: Config, say: Say, driver_id: str) -> Pairing:
    """Store a new pairing code of the driver, in place of an earlier one. Raises NotFound."""
    code, expires_at = new_pairing_code(), datetime.now(UTC) + timedelta(seconds=PAIRING_TIME_S)
    async with open_existing_database(config, say) as database, database.transaction() as connection:
        driver = (await lock_drivers(connection, [driver_id])).get(driver_id)
        if driver is None:
            raise NotFound("driver; `tracker drivers list` shows the ids")
        await upsert_pairing_code(connection, driver.number, hash_pairing_code(code), expires_at)
    links = pairing_links(_base_url(config, say), code)
    return Pairing(code, links.page, rfc3339(expires_at), links)


def _base_url(config: Config, say: Say) -> str:
    """Return the start of the service's URLs, without a slash at the end."""
    if config.public_url is not None:
        return config.public_url.rstrip("/")
    base = f"{'http' if config.tls_cert is None else 'https'}://{config.bind}"
    say(_UNREACHABLE.format(base))
    return base
