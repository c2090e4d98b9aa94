"""`tracker mqtt acl`: what it writes, when it writes, and what it says."""

from pathlib import Path
from stat import S_IMODE

import pytest

from tests.service import SECRET
from tracker.commands.mqtt_accounts.files import BrokerKind, Written, as_text, write_files
from tracker.config import Config
from tracker.database import Database
from tracker.database.credentials.driver_tokens import insert_driver_token
from tracker.database.drivers import insert_driver
from tracker.domain.order import Driver
from tracker.errors import ConfigError
from tracker.node import utc_now
from tracker.tokens import hash_driver_token, new_id

URL = "mqtt://tracker:s%23cret-of-the-service@localhost:1883"


async def new_driver(database: Database, token: str) -> Driver:
    driver = Driver(id=new_id("drv"), number=0, name="Aino", vehicle="car", created_at=utc_now())
    driver = await insert_driver(database, driver)
    await insert_driver_token(database, driver.number, hash_driver_token(token), utc_now())
    return driver


async def written(database_url: str, folder: Path, kind: BrokerKind = "mosquitto", **more: str) -> Written:
    settings = {"database_url": database_url, "mqtt_url": URL, "secret": SECRET} | more
    return await write_files(Config(**settings), lambda _: None, kind, folder)  # type: ignore[arg-type]  # text


@pytest.mark.parametrize(
    ("kind", "names"), [("mosquitto", ["acl", "passwords"]), ("nats", ["authorization.conf"])]
)
async def test_files_are_written_when_an_account_changes(
    database: Database, database_url: str, tmp_path: Path, kind: BrokerKind, names: list[str]
) -> None:
    """They hold no token, and nobody else may read them; without a change they are left alone."""
    driver, folder = await new_driver(database, "tdt_one"), tmp_path / "broker"
    first = await written(database_url, folder, kind)
    assert (sorted(path.name for path in first.changed), first.drivers, first.without) == (names, 1, [])
    text = "".join(path.read_text() for path in first.changed)
    assert driver.id in text
    assert "tdt_one" not in text
    assert "cret-of-the-service" not in text
    assert {S_IMODE(path.stat().st_mode) & 0o007 for path in first.changed} == {0}
    again = await written(database_url, folder, kind)
    assert as_text(again) == "Nothing has changed."
    await insert_driver_token(database, driver.number, hash_driver_token("tdt_two"), utc_now())
    assert [path.name for path in (await written(database_url, folder, kind)).changed] == [names[-1]]


async def test_a_token_from_an_earlier_version_has_no_account(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """Its driver is named, with what to do."""
    driver = await new_driver(database, "tdt_one")
    async with database.transaction() as connection:
        await connection.raw.execute("UPDATE driver_tokens SET mosquitto_hash = NULL, bcrypt_hash = NULL")
    done = await written(database_url, tmp_path)
    assert (done.drivers, done.without) == (0, [driver.id])
    assert "give each a new one" in as_text(done)
    assert driver.id not in (tmp_path / "passwords").read_text()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (None, "is unset"),
        ("mqtt://localhost", "needs a user name"),
        ("mqtt://a%3Ab:secret@localhost", "needs a user name of A-Z"),
        (f"mqtt://tracker:{'x' * 73}@localhost", "at most 72 bytes"),
    ],
)
async def test_the_service_needs_an_account(
    database_url: str, tmp_path: Path, url: str | None, why: str
) -> None:
    """In a form that both brokers take."""
    with pytest.raises(ConfigError, match=why):
        await write_files(
            Config(database_url=database_url, mqtt_url=url), lambda _: None, "mosquitto", tmp_path
        )
    assert list(tmp_path.iterdir()) == []
