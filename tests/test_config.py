"""Config: defaults, and the message that a wrong setting stops the start with."""

import errno
import os
import re
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from tracker.__main__ import main
from tracker.config import SETTINGS, Config, cannot_listen
from tracker.errors import ConfigError

ROOT = Path(__file__).parent.parent
ENCRYPTED_KEY = b"""-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiT2hqBEIdw9gICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJhtRAor3+YhZSE+tp/F0yIEgZCB
9ZU2IqqQs1jR2IIZ1aJk2vDDIsaX4HeDg2E5nJuUF6K3VfDZJDnQjXCZ62OyEJ7L
EtJtKok3BbeWW6IMzg8BNULtFu55fmEkLOBsOysqufkTjlOTJOL8yzUFmbKALcoL
NTN1NPgT1kSriDWZ57Fg9yvCtYtEaStFJDh/BIulk68/RTrSOngFqzgON10PKYE=
-----END ENCRYPTED PRIVATE KEY-----
"""


def test_the_defaults_are_those_of_the_public_interface() -> None:
    """With nothing set, a node serves 127.0.0.1:8080 from an embedded database under ./.tracker."""
    config = Config.from_environment({})
    assert (config.bind, config.data_dir) == ("127.0.0.1:8080", Path(".tracker"))
    assert (config.retention_days, config.customer_retention_days) == (30, 90)
    unset = {"database_url", "nats_url", "public_url", "admin_key", "secret", "mqtt_url", "map"}
    assert {getattr(config, field) for field in unset | {"tls_cert", "tls_key"}} == {None}


def test_every_setting_is_a_field_and_every_field_a_setting() -> None:
    """Whatever the service can be told is told by exactly one name of the environment."""
    assert sorted(setting.field for setting in SETTINGS.values()) == sorted(Config.__struct_fields__)


@pytest.mark.parametrize(
    ("name", "value", "field", "meant"),
    [
        (
            "DATABASE_URL",
            "postgresql://tracker@db/tracker",
            "database_url",
            "postgresql://tracker@db/tracker",
        ),
        ("DATABASE_URL", "postgres://db/tracker", "database_url", "postgres://db/tracker"),
        ("TRACKER_DATA_DIR", "/data", "data_dir", Path("/data")),
        ("TRACKER_BIND", "[::1]:9000", "address", ("::1", 9000)),
        ("TRACKER_BIND", "localhost:0", "address", ("localhost", 0)),
        ("TRACKER_METRICS_BIND", "10.0.0.5:9090", "metrics_bind", "10.0.0.5:9090"),
        ("TRACKER_PUBLIC_URL", "https://track.example", "public_url", "https://track.example"),
        ("TRACKER_PUBLIC_URL", "https://shop.example/a/b-1/", "path_prefix", "/a/b-1"),
        ("TRACKER_PUBLIC_URL", "https://shop.example/", "path_prefix", ""),
        ("TRACKER_PUBLIC_URL", "https://shop.example/track/t", "path_prefix", "/track/t"),
        ("TRACKER_ADMIN_KEY", "k" * 20, "admin_key", "k" * 20),
        ("TRACKER_SECRET", "s" * 20, "secret", "s" * 20),
        ("TRACKER_RETENTION_DAYS", "1", "retention_days", 1),
        ("TRACKER_CUSTOMER_RETENTION_DAYS", " 36500\n", "customer_retention_days", 36_500),
        ("TRACKER_LOG_LEVEL", "debug", "log_level", "debug"),
        ("TRACKER_TRUSTED_PROXIES", "10.0.0.0/8, ::1", "trusted_proxies", "10.0.0.0/8, ::1"),
        ("TRACKER_WEBHOOKS_PRIVATE", "on", "webhooks_private", "on"),
        ("TRACKER_RETENTION_DAYS", "", "retention_days", 30),  # set to nothing is not set
        ("TRACKER_RETENTION_DAYS", " 7\n", "retention_days", 7),
        ("TRACKER_ADMIN_KEY", f"  {'k' * 20}\n", "admin_key", "k" * 20),
        ("TRACKER_PUBLIC_URL", "https://track.example/ ", "public_url", "https://track.example/"),
        (
            "TRACKER_PUBLIC_URL",
            "https://shop.example:8443/track",
            "public_url",
            "https://shop.example:8443/track",
        ),
        ("DATABASE_URL", "postgresql://u:p#[?w@h/db", "database_url", "postgresql://u:p#[?w@h/db"),
        ("TRACKER_PORT", "tcp://10.0.0.1:8080", "bind", "127.0.0.1:8080"),
        ("TRACKER_PORT_8080_TCP_ADDR", "10.0.0.1", "bind", "127.0.0.1:8080"),
        ("TRACKER_SERVICE_HOST", "10.0.0.1", "bind", "127.0.0.1:8080"),
    ],
)
def test_a_good_value_is_taken(name: str, value: str, field: str, meant: object) -> None:
    """A setting's text becomes the value that it means."""
    assert getattr(Config.from_environment({name: value}), field) == meant


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://db/tracker"),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", " \n"),
        ("DATABASE_URL", "postgresql://u:p/w@h"),
        ("DATABASE_URL", "postgresql://u@h/db?schema=public"),
        ("DATABASE_URL", "postgresql://u@h/db\n?sslmode=require"),
        ("TRACKER_PUBLIC_URL", "https://"),
        ("TRACKER_PUBLIC_URL", "https://:443"),
        ("TRACKER_PUBLIC_URL", "https://shop.example?x=1"),
        ("TRACKER_PUBLIC_URL", "https://shop.example/#a"),
        ("TRACKER_PUBLIC_URL", "https://shop.example/?"),
        ("TRACKER_PUBLIC_URL", "https://shop example"),
        ("TRACKER_PUBLIC_URL", "https://user@shop.example"),
        ("TRACKER_PUBLIC_URL", "https://shop.example:99999"),
        ("TRACKER_PUBLIC_URL", "https://shop.example//a"),
        ("TRACKER_PUBLIC_URL", "https://shop.example/t"),
        ("TRACKER_PUBLIC_URL", "https://shop.example/v1/x/"),
        ("TRACKER_PUBLIC_URL", "https://shop.example/a/../b"),
        ("TRACKER_PUBLIC_URL", "https://shop.example/%61"),
        ("TRACKER_ADMIN_KEY", "k" * 20 + "\n" + "k"),
        ("TRACKER_ADMIN_KEY", "k" * 20 + " k"),
        ("TRACKER_ADMIN_KEY", "k" * 20 + "é"),
        ("TRACKER_ADMIN_KEY_FILE", "/nowhere/key"),
        ("TRACKER_PORTS", "8080"),
        ("TRACKER_MAP_FILE", "/map.osm.pbf"),
        ("TRACKER_BIND", "8080"),
        ("TRACKER_BIND", "127.0.0.1:http"),
        ("TRACKER_BIND", "127.0.0.1:65536"),
        ("TRACKER_BIND", "tracker.example:8080"),
        ("TRACKER_METRICS_BIND", "9090"),
        ("TRACKER_METRICS_BIND", "127.0.0.1:8080"),  # that of TRACKER_BIND
        ("TRACKER_PUBLIC_URL", "track.example"),
        ("TRACKER_ADMIN_KEY", "k" * 19),
        ("TRACKER_SECRET", "s" * 19),
        ("TRACKER_RETENTION_DAYS", "0"),
        ("TRACKER_RETENTION_DAYS", "a month"),
        ("TRACKER_RETENTION_DAYS", "36501"),
        ("TRACKER_CUSTOMER_RETENTION_DAYS", "0"),
        ("TRACKER_CUSTOMER_RETENTION_DAYS", "-90"),
        ("TRACKER_CUSTOMER_RETENTION_DAYS", "90.5"),
        ("TRACKER_CUSTOMER_RETENTION_DAYS", "99999999999999999999"),
        ("TRACKER_CUSTOMER_RETENTION_DAYS", "never"),
        ("TRACKER_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRACKER_TRUSTED_PROXIES", "the proxy"),
        ("TRACKER_WEBHOOKS_PRIVATE", "yes"),
        ("TRACKER_LOG_LEVEL", "loud"),
        ("TRACKER_TLS_CERT", "/etc/ssl/tracker.pem"),  # without its key
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str) -> None:
    """A value that cannot work stops the start, and the message begins with the setting's name."""
    with pytest.raises(ConfigError, match=f"^{name}: "):
        Config.from_environment({name: value})


@pytest.mark.parametrize("name", ["TRACKER_RETENTION_DAYS", "TRACKER_CUSTOMER_RETENTION_DAYS"])
@pytest.mark.parametrize("value", ["a month", "90.5", "٣x", "9" * 40, "0"])
def test_a_wrong_number_is_answered_with_what_is_allowed(name: str, value: str) -> None:
    """In words, not as types of Python."""
    with pytest.raises(ConfigError) as refused:
        Config.from_environment({name: value})
    assert refused.value.why == "must be a whole number of days from 1 to 36500"


@pytest.mark.parametrize("name", ["TRACKER_ADMIN_KEY", "TRACKER_SECRET"])
def test_a_refused_secret_is_not_repeated(name: str) -> None:
    """The message of a refused key or secret does not hold its value."""
    with pytest.raises(ConfigError) as refused:
        Config.from_environment({name: "hunter2"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("tcp://broker", "must begin with mqtt:// or mqtts://"),
        ("mqtt://", "has no host"),
        ("mqtt://tracker:hunter2@broker:99999", "has a wrong port"),
        ("mqtt://tracker:hunter2@broker/topic", "must not contain a path"),
        ("mqtts://tracker:hunter2@broker?verify=no", r"takes only \?ca=FILE"),
        ("mqtts://tracker:hunter2@broker?ca=/nowhere.pem", "/nowhere.pem holds no certificate"),
    ],
)
def test_a_broker_that_cannot_be_is_named(url: str, why: str) -> None:
    """With what is wrong, and without the password."""
    with pytest.raises(ConfigError, match=f"^TRACKER_MQTT_URL: .*{why}") as refused:
        Config.from_environment({"TRACKER_MQTT_URL": url})
    assert "hunter2" not in str(refused.value)


def test_phones_get_the_brokers_public_address() -> None:
    """Without it that of the service; it holds no account, and needs a broker."""
    public, own = "mqtts://broker.example:8884", "mqtt://tracker:secret@localhost"
    config = Config.from_environment({"TRACKER_MQTT_URL": own, "TRACKER_MQTT_PUBLIC_URL": public})
    assert config.phones_mqtt_url == public
    assert Config.from_environment({"TRACKER_MQTT_URL": own}).phones_mqtt_url == own
    with pytest.raises(ConfigError, match="TRACKER_MQTT_PUBLIC_URL: must not contain an account"):
        Config.from_environment({"TRACKER_MQTT_URL": own, "TRACKER_MQTT_PUBLIC_URL": own})
    with pytest.raises(ConfigError, match="TRACKER_MQTT_URL: is unset"):
        Config.from_environment({"TRACKER_MQTT_PUBLIC_URL": public})


def test_certificate_and_key_must_be_files(tmp_path: Path) -> None:
    """Both files of TLS must be there; the missing one is named."""
    mine, other = (trustme.CA().issue_cert("tracker.example") for _ in range(2))
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    mine.cert_chain_pems[0].write_to_path(str(cert))
    given = {"TRACKER_TLS_CERT": str(cert), "TRACKER_TLS_KEY": str(key)}
    for content, says in (
        (None, "TRACKER_TLS_KEY: .*key.pem cannot be read: No such file"),
        (b"secret", "TRACKER_TLS_KEY: .*key.pem holds no private key"),
        (other.private_key_pem.bytes(), "TRACKER_TLS_KEY: .*key.pem does not belong to .*cert.pem"),
        (ENCRYPTED_KEY, "TRACKER_TLS_KEY: .*key.pem is protected by a password"),
        (b"-----BEGIN PRIVATE KEY-----\n", "TRACKER_TLS_CERT: .* cannot be used"),
    ):
        if content is not None:
            key.write_bytes(content)
        with pytest.raises(ConfigError, match=rf"^{says}"):
            Config.from_environment(given)
    mine.private_key_pem.write_to_path(str(key))
    assert Config.from_environment(given).tls_key == key
    cert.write_text("-----BEGIN RSA-----")
    with pytest.raises(ConfigError, match=r"TRACKER_TLS_CERT: .*holds no certificate in PEM format"):
        Config.from_environment(given)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    """A misspelt setting stops the start, and the message lists what there is."""
    with pytest.raises(ConfigError, match=r"^TRACKER_BINDD: .*TRACKER_BIND,"):
        Config.from_environment({"TRACKER_BINDD": "127.0.0.1:8080"})


def test_other_programs_settings_are_not_ours() -> None:
    """Only names that begin with TRACKER_ are ours to refuse."""
    assert Config.from_environment({"PATH": "/bin", "DATABASE_HOST": "db"}) == Config()


def test_every_setting_stands_in_the_readme() -> None:
    """The README's table of settings has a row for each, and no row for one that is not there."""
    rows = re.findall(
        r"^\| *`((?:TRACKER|DATABASE|NATS)_[A-Z_]+)`(?:, `([A-Z_]+)`)? *\|", readme(), re.MULTILINE
    )
    assert {name for row in rows for name in row if name} == set(SETTINGS)


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("router", ["child", "http://10.0.0.7:8002", "https://router.example/valhalla"])
def test_the_router_may_be_elsewhere(router: str) -> None:
    """As a child or at an address."""
    assert Config.from_environment({"TRACKER_ROUTER": router}).router == router


@pytest.mark.parametrize("router", ["threads", "10.0.0.7:8002", "tcp://10.0.0.7:8002"])
def test_a_router_that_is_nowhere_is_named(router: str) -> None:
    """Anything else stops the start."""
    with pytest.raises(ConfigError, match="TRACKER_ROUTER"):
        Config.from_environment({"TRACKER_ROUTER": router})


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    """White space around it is no part of it, and only one of the two may be set."""
    file = tmp_path / "key"
    file.write_text("\n" + "k" * 20 + "\n")
    given = {"TRACKER_ADMIN_KEY_FILE": str(file)}
    assert Config.from_environment(given).admin_key == "k" * 20
    with pytest.raises(ConfigError, match=r"^TRACKER_ADMIN_KEY: is set, and TRACKER_ADMIN_KEY_FILE too"):
        Config.from_environment({**given, "TRACKER_ADMIN_KEY": "k" * 21})
    file.write_text(" \n")
    with pytest.raises(ConfigError, match=r"^TRACKER_ADMIN_KEY_FILE: .* is empty"):
        Config.from_environment(given)


@pytest.mark.parametrize("name", [name for name, setting in SETTINGS.items() if setting.secret])
def test_every_secret_setting_takes_a_file(name: str) -> None:
    """The one that is missing is named as it was given."""
    with pytest.raises(ConfigError, match=f"^{name}_FILE: /nowhere cannot be read: No such file"):
        Config.from_environment({f"{name}_FILE": "/nowhere"})


def test_a_misspelt_name_is_answered_with_the_right_one() -> None:
    """The closest of the names that there are."""
    with pytest.raises(ConfigError, match=r"did you mean TRACKER_ADMIN_KEY\?"):
        Config.from_environment({"TRACKER_ADMINKEY": "k" * 20})


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Also where it lies below a file."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^TRACKER_DATA_DIR: .*/data cannot be written: Not a directory"):
        Config(data_dir=tmp_path / "file" / "data").make_data_dir()


def test_an_address_that_cannot_be_listened_on_is_answered_with_the_fix() -> None:
    """For each reason that the system gives."""
    for number, fix in (
        (errno.EADDRINUSE, "stop the program that uses it, or choose another port"),
        (errno.EACCES, "choose a port of 1024 or more"),
        (errno.EADDRNOTAVAIL, "choose an address of this machine, or 0.0.0.0 for all"),
        (errno.EIO, "choose another address and port"),
    ):
        error = str(cannot_listen("TRACKER_BIND", "10.0.0.1:80", OSError(number, os.strerror(number))))
        assert error == f"TRACKER_BIND: cannot listen on 10.0.0.1:80: {os.strerror(number)}; {fix}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://u:p@h:99999/db"),
        ("TRACKER_DATA_DIR", "/dev/null/data"),
        ("TRACKER_TLS_CERT", "/dev/null"),
        ("TRACKER_PUBLIC_URL", "https://"),
        ("TRACKER_ADMIN_KEY", "k" * 20 + "\n" + "k"),
    ],
)
def test_a_bad_setting_stops_the_service_with_one_sentence(name: str, value: str) -> None:
    """No traceback: the name of the setting, what is wrong, and exit status 1."""
    result = CliRunner().invoke(main, ["serve"], env={"TRACKER_BIND": "127.0.0.1:0", name: value})
    assert result.exit_code == 1
    (said,) = [line for line in result.output.splitlines() if not line.startswith("{")]  # beside the log
    assert said.startswith(f"Error: {name}: ")
