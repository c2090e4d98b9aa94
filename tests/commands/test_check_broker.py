"""`tracker check` of an MQTT broker: each fault with its fix, and no secret."""

from pathlib import Path

import pytest

from tests.mqtt.brokers import URL_PASSWORD, Kind, broker_for
from tests.service import SECRET
from tracker.commands.check import check_broker
from tracker.commands.mqtt_accounts.files import write_files
from tracker.config import Config
from tracker.errors import ConfigError


async def fault_of(url: str) -> str:
    with pytest.raises(ConfigError) as wrong:
        [_ async for _ in check_broker(url)]
    assert wrong.value.setting == "TRACKER_MQTT_URL"
    assert URL_PASSWORD not in str(wrong.value)
    return wrong.value.why


@pytest.mark.parametrize("kind", ["mosquitto", "nats"])
async def test_the_account_is_tried(tmp_path: Path, database_url: str, kind: Kind) -> None:
    """The messages for a wrong password and for an unreachable broker differ, and both name the address."""
    async with broker_for(kind, tmp_path) as broker:
        assert await fault_of(broker.url) == (
            f"localhost:{broker.port}: nothing listens there; start the broker, or correct host and port"
        )
        config = Config(database_url=database_url, mqtt_url=broker.url, secret=SECRET)
        await write_files(config, lambda _: None, kind, tmp_path)
        await broker.start()
        told = [line async for line in check_broker(broker.url)]
        assert told == [
            f"the broker at localhost:{broker.port} accepts the account and the subscription to owntracks/+/+"
        ]
        why = await fault_of(broker.url.replace(URL_PASSWORD, "wrong"))
        assert "refuses the user name or the password" in why
        assert "tracker mqtt acl" in why


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_tls_is_tried(tmp_path: Path, database_url: str) -> None:
    """Without the private authority the certificate is not trusted; a plain port speaks no TLS."""
    async with broker_for("mosquitto", tmp_path, tls=True) as broker:
        config = Config(database_url=database_url, mqtt_url=broker.url, secret=SECRET)
        await write_files(config, lambda _: None, "mosquitto", tmp_path)
        await broker.start()
        assert [line async for line in check_broker(broker.url)]
        untrusted = broker.url.partition("?")[0]
        assert "certificate is not trusted" in await fault_of(untrusted)
        assert await fault_of(untrusted.replace("mqtts", "mqtt"))


async def test_a_name_that_does_not_exist_is_named() -> None:
    """As the first thing to correct."""
    assert "name cannot be resolved" in await fault_of("mqtt://tracker:secret@broker.invalid")
