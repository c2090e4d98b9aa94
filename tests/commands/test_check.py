"""`tracker check`: a line for each part, with what is wrong and how to fix it."""

import os
import re
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path
from typing import Any

import pytest

from tests.broken_extracts import demo, unreadable
from tracker.commands.check import check_address, check_all
from tracker.config import Config
from tracker.errors import ConfigError


async def checked(data_dir: Path, database_url: str, **settings: str) -> tuple[int, list[str], list[str]]:
    """Exit status, findings, and what was said meanwhile."""
    environment = {**os.environ, "TRACKER_DATA_DIR": str(data_dir), "DATABASE_URL": database_url, **settings}
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "tracker", "check"), env=environment, stdout=PIPE, stderr=PIPE
    )
    found, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, found.decode().splitlines(), said.decode().splitlines()


async def test_what_is_there_is_named(data_dir: Path, database_url: str) -> None:
    """Each part in its line; disk that is free, features that were left out, addresses and ways."""
    status, found, _ = await checked(data_dir, database_url)
    assert status == 0
    assert {line.partition(":")[0] for line in found} == {
        *("ok    address", "ok    data folder", "ok    database", "ok    clock", "ok    nodes"),
        *("ok    map", "ok    map tiles", "ok    addresses", "ok    address search", "ok    router"),
    }
    text = "\n".join(found)
    for words in ("of disk are free", "Helsinki.osm.pbf is an OpenStreetMap extract of 0.69 MB", "left out"):
        assert words in text
    assert "ok    addresses: 5" in text
    assert re.search(r"ok    address search: finds \d{3} house numbers, \d{3} streets", text)


async def test_what_cannot_be_made_of_a_map_is_named(tmp_path: Path, database_url: str) -> None:
    """Each with its reason, with what the service does without it, and the fix; without a traceback."""
    extract = unreadable(tmp_path / "town.osm.pbf")
    status, found, said = await checked(tmp_path, database_url, TRACKER_MAP=str(extract))
    wrong = {line.partition(":")[0]: line for line in found if line.startswith("wrong")}
    assert (status, list(wrong)) == (
        1,
        ["wrong map tiles", "wrong addresses", "wrong address search", "wrong router"],
    )
    for part, name in zip(wrong, ("basemap", "addresses", "geocoder", "router"), strict=True):
        assert "town.osm.pbf" in wrong[part]
        assert "The service starts" in wrong[part]
        assert f"(degraded: {name}). Give another extract" in wrong[part]
    assert "Traceback" not in "\n".join(found + said)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<html>Not found", "is a web page; use the address of"),
        (demo()[:-100], "is cut off after 685,010 bytes"),
    ],
)
async def test_a_file_that_is_no_map_is_named_once(
    tmp_path: Path, database_url: str, content: bytes, why: str
) -> None:
    """Nothing is tried with it."""
    (extract := tmp_path / "town.osm.pbf").write_bytes(content)
    found: list[str] = []
    said: list[str] = []
    config = Config(data_dir=tmp_path, database_url=database_url, map=str(extract))
    is_usable = await check_all(config, found.append, said.append)
    wrong = [line for line in found if line.startswith("wrong")]
    assert (is_usable, len(wrong), said) == (False, 1, [])
    assert wrong[0].startswith(f"wrong map: TRACKER_MAP: {extract} {why}")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"public_url": "https://track.example"}, "all its clients count as one address"),
        ({"public_url": "https://a.example/b", "trusted_proxies": "0.0.0.0/0"}, "clients can forge"),
        ({"trusted_proxies": "10.0.0.0/8", "bind": "127.0.0.1:80"}, "add 127.0.0.1"),
        ({"trusted_proxies": "127.0.0.1", "bind": "[::1]:80"}, "add ::1"),
    ],
)
async def test_settings_for_a_proxy_that_do_not_fit_are_explained(
    settings: dict[str, Any], words: str
) -> None:
    """One sentence names the setting, the fault and the fix."""
    with pytest.raises(ConfigError, match=words):
        _ = [line async for line in check_address(Config(**settings))]


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({}, ["links begin with the address of the request"]),
        ({"public_url": "http://10.0.0.5"}, ["links begin with http://10.0.0.5"]),
        (
            {"public_url": "https://a.example", "trusted_proxies": "10.0.0.0/8,::1", "bind": "0.0.0.0:80"},
            [
                "links begin with https://a.example",
                "X-Forwarded headers are believed from 10.0.0.0/8, ::1/128",
            ],
        ),
        (
            {"trusted_proxies": "127.0.0.0/8", "bind": "localhost:80"},
            [
                "links begin with the address of the request",
                "X-Forwarded headers are believed from 127.0.0.0/8",
            ],
        ),
    ],
)
async def test_settings_for_a_proxy_that_fit_are_named(settings: dict[str, Any], lines: list[str]) -> None:
    """What links begin with, and whose headers count."""
    assert [line async for line in check_address(Config(**settings))] == lines
