"""Config: defaults, and the message that a wrong setting stops the start with."""

import re
from pathlib import Path

import pytest

from tracker.config import SETTINGS, Config
from tracker.errors import ConfigError

ROOT = Path(__file__).parent.parent


def test_the_defaults_are_those_of_the_public_interface() -> None:
    """With nothing set, a node serves 127.0.0.1:8080 from an embedded database under ./.tracker."""
    config = Config.from_environment({})
    assert (config.bind, config.data_dir, config.retention_days) == ("127.0.0.1:8080", Path(".tracker"), 30)
    unset = {"database_url", "nats_url", "public_url", "admin_key", "secret", "mqtt_url", "map"}
    assert {getattr(config, field) for field in unset | {"tls_cert", "tls_key"}} == {None}


def test_every_setting_is_a_field_and_every_field_a_setting() -> None:
    """Whatever the service can be told is told by exactly one name of the environment."""
    assert sorted(SETTINGS.values()) == sorted(Config.__struct_fields__)


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
        ("TRACKER_PUBLIC_URL", "https://track.example", "public_url", "https://track.example"),
        ("TRACKER_ADMIN_KEY", "k" * 20, "admin_key", "k" * 20),
        ("TRACKER_SECRET", "s" * 20, "secret", "s" * 20),
        ("TRACKER_RETENTION_DAYS", "1", "retention_days", 1),
        ("TRACKER_LOG_LEVEL", "debug", "log_level", "debug"),
        ("TRACKER_TRUSTED_PROXIES", "10.0.0.0/8, ::1", "trusted_proxies", "10.0.0.0/8, ::1"),
        ("TRACKER_RETENTION_DAYS", "", "retention_days", 30),  # set to nothing is not set
    ],
)
def test_a_good_value_is_taken(name: str, value: str, field: str, meant: object) -> None:
    """A setting's text becomes the value that it means."""
    assert getattr(Config.from_environment({name: value}), field) == meant


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://db/tracker"),
        ("TRACKER_BIND", "8080"),
        ("TRACKER_BIND", "127.0.0.1:http"),
        ("TRACKER_BIND", "127.0.0.1:65536"),
        ("TRACKER_BIND", "tracker.example:8080"),
        ("TRACKER_PUBLIC_URL", "track.example"),
        ("TRACKER_ADMIN_KEY", "k" * 19),
        ("TRACKER_SECRET", "s" * 19),
        ("TRACKER_RETENTION_DAYS", "0"),
        ("TRACKER_RETENTION_DAYS", "a month"),
        ("TRACKER_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRACKER_TRUSTED_PROXIES", "the proxy"),
        ("TRACKER_LOG_LEVEL", "loud"),
        ("TRACKER_TLS_CERT", "/etc/ssl/tracker.pem"),  # without its key
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str) -> None:
    """A value that cannot work stops the start, and the message begins with the setting's name."""
    with pytest.raises(ConfigError, match=f"^{name}: "):
        Config.from_environment({name: value})


@pytest.mark.parametrize("name", ["TRACKER_ADMIN_KEY", "TRACKER_SECRET"])
def test_a_refused_secret_is_not_repeated(name: str) -> None:
    """The message of a refused key or secret does not hold its value."""
    with pytest.raises(ConfigError) as refused:
        Config.from_environment({name: "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_certificate_and_key_must_be_files(tmp_path: Path) -> None:
    """Both files of TLS must be there; the missing one is named."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.touch()
    given = {"TRACKER_TLS_CERT": str(cert), "TRACKER_TLS_KEY": str(key)}
    with pytest.raises(ConfigError, match=re.escape(str(key))):
        Config.from_environment(given)
    key.touch()
    assert Config.from_environment(given).tls_key == key


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
