"""`tracker settings`: what each setting is, and where its value is from."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tracker.__main__ import main
from tracker.commands.settings import as_text, settings_in_use
from tracker.config import SETTINGS, Config, read_values

SECRET = "the-secret-of-twenty-characters"


def settings(*arguments: str, **environment: str) -> Result:
    unset = dict.fromkeys([*SETTINGS, *(f"{name}_FILE" for name in SETTINGS)])
    return CliRunner().invoke(main, ["settings", *arguments], env={**unset, **environment})


def listed(*arguments: str, **environment: str) -> dict[str, dict[str, Any]]:
    result = settings("--json", *arguments, **environment)
    assert result.exit_code == 0, result.output
    return {one["name"]: one for one in json.loads(result.stdout)}


def test_every_setting_is_listed_with_its_meaning_and_default() -> None:
    """In JSON and as text."""
    every = listed()
    assert set(every) == set(SETTINGS)
    text = " ".join(settings().output.split())
    for name, setting in SETTINGS.items():
        one = every[name]
        assert (one["source"], one["option"], one["meaning"]) == ("default", setting.option, setting.meaning)
        default = getattr(Config(), setting.field)
        assert one["value"] == (str(default) if default else None)
        assert f"{name}: {one['default']} (default) {setting.meaning} Option: {setting.option}" in text


def test_an_option_wins_over_the_environment_and_that_over_the_default(tmp_path: Path) -> None:
    """Each value has its source; a file of a secret wins over the secret in the environment."""
    file = tmp_path / "secret"
    file.write_text(SECRET)
    every = listed(
        *("--bind", "127.0.0.1:1", "--admin-key-file", str(file)),
        TRACKER_BIND="127.0.0.1:2",
        TRACKER_DATA_DIR="/data",
        TRACKER_ADMIN_KEY="another-key-of-the-environment",
        TRACKER_SECRET_FILE=str(file),
    )
    found = {name: (one["value"], one["source"]) for name, one in every.items()}
    assert found["TRACKER_BIND"] == ("127.0.0.1:1", "option")
    assert found["TRACKER_DATA_DIR"] == ("/data", "environment")
    assert found["TRACKER_ADMIN_KEY"] == ("********", "option")
    assert found["TRACKER_SECRET"] == ("********", "file")
    assert found["TRACKER_LOG_LEVEL"] == ("info", "default")
    config = Config.from_environment(
        {"TRACKER_BIND": "127.0.0.1:2", "TRACKER_ADMIN_KEY": "another-key-of-the-environment"},
        {"TRACKER_BIND": "127.0.0.1:1", "TRACKER_ADMIN_KEY": str(file)},
    )
    assert (config.bind, config.admin_key) == ("127.0.0.1:1", SECRET)


@pytest.mark.parametrize("name", [name for name, setting in SETTINGS.items() if setting.secret])
def test_no_secret_is_shown(name: str) -> None:
    """Neither as text nor in JSON."""
    values = read_values({name: f"postgresql://tracker:{SECRET}@db/tracker"})
    shown = settings_in_use(values)
    assert SECRET not in as_text(shown, 80) + repr(shown)
    assert f"{name}: ******** (environment; default: " in as_text(shown, 80)


def test_a_password_in_a_url_is_not_shown() -> None:
    """Of a map that is downloaded with a password or a token."""
    every = listed("--map", f"https://me:{SECRET}@maps.example/town.osm.pbf?token={SECRET}")
    assert every["TRACKER_MAP"]["value"] == "https://********@maps.example/town.osm.pbf?********"


def test_a_wrong_setting_is_listed_and_then_explained() -> None:
    """The list is what one needs to find where the wrong value is from."""
    result = settings(TRACKER_BIND="8080")
    assert result.exit_code == 1
    assert "TRACKER_BIND: 8080 (environment; default: 127.0.0.1:8080)" in result.output
    assert result.output.splitlines()[-1].startswith("Error: TRACKER_BIND: must be an address and a port")
