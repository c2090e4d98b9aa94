"""The set-up: locked packages that agree with what is asked for, and a Python that is found or explained.

`tests/test_set_up_faults.py` runs the set-up itself.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+))? \\\n", re.MULTILINE)


def pins(lock: Path) -> dict[str, list[Version]]:
    """What a lock file installs; a name may have several versions, told apart by markers."""
    found: dict[str, list[Version]] = {}
    for pin in PIN.finditer(lock.read_text(encoding="utf-8")):
        found.setdefault(pin["name"], []).append(Version(pin["version"]))
    return found


def asked_for() -> dict[str, list[str]]:
    """Lock file -> the requirements of pyproject.toml that it must meet."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run, dev = project["project"]["dependencies"], project["dependency-groups"]["dev"]
    for extra in ("embedded", "router"):
        run += project["project"]["optional-dependencies"][extra]
    return {"requirements.lock": run, "requirements-dev.lock": run + dev}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_file_names_no_host(lock: Path) -> None:
    """Lock files work with any index or mirror, so they hold no address of one."""
    text = lock.read_text(encoding="utf-8")
    assert pins(lock)
    assert "://" not in text
    assert "--index" not in text


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_pin_has_hashes(lock: Path) -> None:
    """Whatever is installed is known by its content."""
    for entry in re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip()):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_the_lock_file_of_the_page_names_no_registry_and_has_hashes() -> None:
    """npm takes the registry from its own settings, and checks each package by its digest."""
    packages = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    wanted = json.loads((ROOT / "web" / "package.json").read_text(encoding="utf-8"))
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-"), name
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert packages[f"node_modules/{name}"]["version"] == version, f"{name}: make lock"


@pytest.mark.parametrize("name", sorted(asked_for()))
def test_a_lock_file_meets_what_is_asked_for(name: str) -> None:
    """Each requirement of pyproject.toml is pinned to a version that it allows: else `make lock`."""
    locked = pins(ROOT / name)
    for requirement in map(Requirement, asked_for()[name]):
        versions = locked.get(requirement.name, [])
        assert versions, f"{requirement.name} is not locked"
        assert all(version in requirement.specifier for version in versions), str(requirement)


def test_tests_run_with_what_the_product_runs_with() -> None:
    """The two lock files agree on every package that both hold."""
    run, dev = pins(ROOT / "requirements.lock"), pins(ROOT / "requirements-dev.lock")
    assert {name: dev.get(name) for name in run} == run


def find_python(folder: Path, python3: str, system: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the search where `python3` is this script and nothing else is installed."""
    fake = folder / "python3"
    fake.write_text(f"#!/bin/sh\n{python3}\n")
    fake.chmod(0o755)
    (folder / "os-release").write_text(system)
    (folder / "sed").symlink_to(shutil.which("sed") or "")
    return subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "find-python.sh")],
        env={"PATH": str(folder), "HOME": str(folder), "OS_RELEASE": str(folder / "os-release")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_python_that_is_new_enough_is_taken(tmp_path: Path) -> None:
    """`python3` is used where it is one of the supported versions; the interpreter behind it is named."""
    found = find_python(tmp_path, f'exec "{sys.executable}" "$@"')
    assert found.returncode == 0
    assert Path(found.stdout.strip()).resolve() == Path(sys.executable).resolve()


@pytest.mark.parametrize(
    "place", [".pyenv/versions/3.13.0", ".local/share/uv/python/cpython-3.13.1-linux-x86_64-gnu"]
)
def test_a_python_from_pyenv_or_uv_is_found(tmp_path: Path, place: str) -> None:
    """Where `python3` is too old, one that pyenv or uv installed is taken, selected there or not."""
    version = tmp_path / place / "bin"
    version.mkdir(parents=True)
    launcher = version / "python3"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    launcher.chmod(0o755)
    found = find_python(tmp_path, "exit 1")
    assert found.returncode == 0
    assert Path(found.stdout.strip()).resolve() == Path(sys.executable).resolve()


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("ID=debian\nVERSION_ID=12", "~/.uv/bin/uv python install 3.13"),  # its newest Python is 3.11
        ("ID=debian\nVERSION_ID=13", "apt-get install python3 python3-venv"),
        ("ID=ubuntu\nVERSION_ID=22.04", "~/.uv/bin/uv python install 3.13"),
        ("ID=ubuntu\nVERSION_ID=24.04", "apt-get install python3 python3-venv"),
        ("ID=fedora\nVERSION_ID=42", "dnf install python3.13"),
        ("", "~/.uv/bin/uv python install 3.13"),
    ],
)
def test_a_python_that_is_too_old_is_explained(tmp_path: Path, system: str, command: str) -> None:
    """Without a Python that fits, the set-up names the versions, and commands that work on this system."""
    found = find_python(tmp_path, '[ "$1" = --version ] && echo Python 3.11.2 || exit 1', system)
    assert found.returncode == 1
    assert "Python 3.12, 3.13 or 3.14 is required" in found.stderr
    assert "found: Python 3.11.2" in found.stderr
    assert f"    {command}\n" in found.stderr
    assert "newest" not in found.stderr


def test_a_python_that_is_too_new_is_explained(tmp_path: Path) -> None:
    """With a newer Python only, the set-up names the newest version that is supported."""
    found = find_python(tmp_path, '[ "$1" = --version ] && echo Python 3.15.0 || exit 1')
    assert found.returncode == 1
    assert "found: Python 3.15.0" in found.stderr
    assert "3.14 is the newest supported version." in found.stderr
