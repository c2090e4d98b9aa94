"""`tracker drivers`: new drivers, all drivers, and pairing codes for their phones."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from tracker.commands.keys import open_existing_database
from tracker.commands.qr import qr_text
from tracker.config import Config
from tracker.database import Connection
from tracker.database.credentials.driver_tokens import insert_driver_token, upsert_pairing_code
from tracker.database.drivers import insert_driver, lock_drivers, select_drivers
from tracker.database.fixes import newest_states
from tracker.domain.order import Driver, Vehicle
from tracker.errors import NotFound
from tracker.messages import rfc3339
from tracker.phone_apps.pairing_links import PAIRING_TIME_S, PairingLinks, pairing_links
from tracker.phone_apps.setup import Setup, setup_for
from tracker.system.progress import Say
from tracker.tokens import hash_driver_token, hash_pairing_code, new_driver_token, new_id, new_pairing_code

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


class NewDriver(msgspec.Struct, frozen=True):
    """A driver that was just created, with what the terminal shows once."""

    id: str
    name: str
    vehicle: Vehicle
    reference: str | None
    token: str
    setup: Setup
    pairing: Pairing

    def as_text(self, app: App) -> str:
        """Return the driver's id and token, and how to set the phone up."""
        return f"driver   {self.id}\ntoken    {self.token}\n\n{self.pairing.as_text(app)}"


class ListedDriver(msgspec.Struct, frozen=True):
    """A driver, and when the service received the newest believed position."""

    id: str
    name: str
    vehicle: Vehicle
    reference: str | None
    last_fix_at: datetime | None

    def public_fields(self) -> dict[str, str | None]:
        """Return the driver for JSON."""
        at = None if self.last_fix_at is None else rfc3339(self.last_fix_at)
        return {**msgspec.structs.asdict(self), "last_fix_at": at}

    def as_line(self, now: datetime) -> str:
        """Describe the driver in one line."""
        heard = "no position" if self.last_fix_at is None else _ago((now - self.last_fix_at).total_seconds())
        return f"{self.id}  {self.vehicle:8}  {self.reference or '-':10}  {heard:12}  {self.name}"


def _ago(seconds: float) -> str:
    """Return an age in its largest whole unit."""
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length_s:
            return f"{int(seconds // length_s)} {unit} ago"
    return f"{max(0, int(seconds))} s ago"


async def add_driver(
    config: Config, say: Say, name: str, vehicle: Vehicle, reference: str | None = None
) -> NewDriver:
    """Create a driver with a token and a pairing code."""
    now, token, code = datetime.now(UTC), new_driver_token(), new_pairing_code()
    driver = Driver(
        id=new_id("drv"), number=0, name=name, vehicle=vehicle, reference=reference, created_at=now
    )
    async with open_existing_database(config, say) as database, database.transaction() as connection:
        driver = await insert_driver(connection, driver)
        await insert_driver_token(connection, driver.number, hash_driver_token(token), now)
        expires_at = await _store_code(connection, driver, code, now)
    base = _base_url(config, say)
    setup = setup_for(driver, token, base=base, mqtt_url=config.phones_mqtt_url)
    pairing = _pairing(base, code, expires_at)
    return NewDriver(driver.id, driver.name, driver.vehicle, driver.reference, token, setup, pairing)


async def list_drivers(config: Config, say: Say) -> list[ListedDriver]:
    """Return all drivers, newest first."""
    found: list[Driver] = []
    async with open_existing_database(config, say) as database:
        while True:
            before = (found[-1].created_at, found[-1].id) if found else None
            found += (page := await select_drivers(database, _PAGE_SIZE, before))
            if len(page) < _PAGE_SIZE:
                break
        states = await newest_states(database, [driver.number for driver in found])
    heard = {number: state.received_at for number, state in states.items()}
    return [
        ListedDriver(each.id, each.name, each.vehicle, each.reference, heard.get(each.number))
        for each in found
    ]


async def pair_driver(config: Config, say: Say, driver_id: str) -> Pairing:
    """Store a new pairing code of the driver, in place of an earlier one. Raises NotFound."""
    code = new_pairing_code()
    async with open_existing_database(config, say) as database, database.transaction() as connection:
        driver = (await lock_drivers(connection, [driver_id])).get(driver_id)
        if driver is None:
            raise NotFound("driver; `tracker drivers list` shows the ids")
        expires_at = await _store_code(connection, driver, code, datetime.now(UTC))
    return _pairing(_base_url(config, say), code, expires_at)


async def _store_code(connection: Connection, driver: Driver, code: str, now: datetime) -> datetime:
    """Store a pairing code and return when it expires."""
    expires_at = now + timedelta(seconds=PAIRING_TIME_S)
    await upsert_pairing_code(connection, driver.number, hash_pairing_code(code), expires_at)
    return expires_at


def _pairing(base: str, code: str, expires_at: datetime) -> Pairing:
    links = pairing_links(base, code)
    return Pairing(code, links.page, rfc3339(expires_at), links)


def _base_url(config: Config, say: Say) -> str:
    """Return the start of the service's URLs, without a slash at the end."""
    if config.public_url is not None:
        return config.public_url.rstrip("/")
    base = f"{'http' if config.tls_cert is None else 'https'}://{config.bind}"
    say(_UNREACHABLE.format(base))
    return base
