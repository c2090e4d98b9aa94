"""The URLs of message brokers."""

from pathlib import Path

import pytest

from tracker.broker_urls import MqttAddress, NatsAddress, parse_mqtt_url, parse_nats_url


def test_an_mqtt_url_has_defaults() -> None:
    """The port follows from the scheme, and an account is optional."""
    assert parse_mqtt_url("mqtt://broker") == MqttAddress(host="broker", port=1883, tls=False)
    assert parse_mqtt_url("mqtts://broker/") == MqttAddress(host="broker", port=8883, tls=True)


def test_an_mqtt_url_is_percent_decoded() -> None:
    address = parse_mqtt_url("mqtts://a%40b:c%2Fd@[::1]:18883?ca=/ca.pem")
    assert (address.host, address.port, address.ca) == ("::1", 18883, Path("/ca.pem"))
    assert (address.username, address.password) == ("a@b", "c/d")


def test_a_nats_url_names_every_server() -> None:
    """The first account and the first authority count for all."""
    address = parse_nats_url("tls://[::1], tls://us%40er:p%23w@b.example:4333?ca=/ca.pem")
    assert address.servers == ("tls://[::1]:4222", "tls://b.example:4333")
    assert (address.tls, address.ca) == (True, Path("/ca.pem"))
    assert (address.user, address.password, address.token) == ("us@er", "p#w", None)
    assert str(address) == "[::1]:4222, b.example:4333"


def test_a_name_without_a_password_is_a_token_of_nats() -> None:
    address = parse_nats_url("nats://se%2Fcret@a")
    assert address == NatsAddress(servers=("nats://a:4222",), tls=False, token="se/cret")


WRONG = (
    ("{other}://u:hunter2@broker", "must begin with {plain}:// or {secure}://"),
    ("{plain}://u:hunter2@", "has no host"),
    ("{plain}://u:hun ter2@broker", "a space in it"),
    ("{plain}://u:hunter2@broker/topic", "must not contain a path"),
    ("{plain}://u:hun#ter2@broker", "write # as %23"),
    ("{plain}://u:hunter2@broker:0", "has a wrong port"),
    ("{plain}://u:hunter2@broker:99999", "has a wrong port"),
    ("{plain}://u:hunter2@broker?ca=/ca.pem", "only ?ca=FILE after {secure}://"),
    ("{secure}://u:hunter2@broker?ca=", "only ?ca=FILE after {secure}://"),
    ("{secure}://u:hunter2@broker?verify=no", "only ?ca=FILE after {secure}://"),
)


@pytest.mark.parametrize(("url", "why"), WRONG)
def test_a_wrong_url_is_explained_without_its_password(url: str, why: str) -> None:
    schemes = {parse_mqtt_url: ("mqtt", "mqtts", "nats"), parse_nats_url: ("nats", "tls", "mqtt")}
    for parse, (plain, secure, other) in schemes.items():
        names = {"plain": plain, "secure": secure, "other": other}
        with pytest.raises(ValueError) as wrong:
            parse(url.format(**names))
        assert why.format(**names) in str(wrong.value)
        assert "hun" not in str(wrong.value)


def test_the_servers_of_one_cluster_share_their_scheme() -> None:
    with pytest.raises(ValueError, match="mixes nats:// and tls://"):
        parse_nats_url("nats://a,tls://b")
