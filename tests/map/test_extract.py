"""The map from the web: once, whole, gone on with after a break; what other maps left behind goes."""

import asyncio
import bz2
import gzip
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import osmium
import pytest

from tests.broken_extracts import block, demo
from tracker.config import Config
from tracker.errors import ConfigError
from tracker.map.extract import UNUSED_FOR, MapExtract, find_map, in_use, prepare_map
from tracker.routing import Router

MAP = block(b"OSMHeader", os.urandom(900_000))
NEWER = block(b"OSMHeader", os.urandom(800_000))


class Web(msgspec.Struct):
    """A server with one file, and what it was asked for."""

    url: str = ""
    content: bytes = MAP
    etag: str | None = '"one"'
    cut_after: int | None = None  # bytes of an answer, then the connection breaks
    cuts: int = 0  # how many answers are cut
    status: int = 200
    location: str | None = None
    says_length: bool = True
    asked: list[str] = []

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := (await reader.readuntil(b"\r\n\r\n")).decode():
                self.asked.append(request)
                writer.write(self._head(request))
                await writer.drain()
                body = self._body(request)
                if self.cuts and self.cut_after is not None:
                    self.cuts -= 1
                    writer.write(body[: self.cut_after])
                    await writer.drain()
                    break
                writer.write(body)
                await writer.drain()
                if not self.says_length:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _resumed(self, request: str) -> int | None:
        """From which byte, where the half that the asker has is of this file."""
        begin = re.search(r"(?im)^range: bytes=(\d+)-", request)
        same = self.etag is not None and f"if-range: {self.etag}".lower() in request.lower()
        return int(begin[1]) if begin and same else None

    def _known(self, request: str) -> bool:
        return self.etag is not None and f"if-none-match: {self.etag}".lower() in request.lower()

    def _body(self, request: str) -> bytes:
        if self.status != 200 or self._known(request):
            return b""
        return self.content[self._resumed(request) or 0 :]

    def _head(self, request: str) -> bytes:
        status = 304 if self._known(request) else 206 if self._resumed(request) is not None else self.status
        lines = [f"HTTP/1.1 {status} So"]
        lines += [f"ETag: {self.etag}"] if self.etag else []
        lines += [f"Location: {self.location}"] if self.location else []
        if self.says_length:
            lines.append(f"Content-Length: {len(self._body(request))}")
        return "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def serving(web: Web) -> AsyncIterator[Web]:
    server = await asyncio.start_server(web.meet, "127.0.0.1", 0)
    web.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/europe/town-latest.osm.pbf"
    try:
        yield web
    finally:
        server.close()


@pytest.fixture
async def web(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Web]:
    monkeypatch.setattr("tracker.map.download.PAUSE", 0.01)
    async with serving(Web()) as running:
        yield running


def ignore(_: str) -> None:
    pass


async def fetch(web: Web, data: Path, say: Callable[[str], None] = ignore, *, refresh: bool = False) -> Path:
    return (await prepare_map(Config(data_dir=data, map=web.url), say, refresh=refresh)).path


async def test_a_map_is_downloaded_once(web: Web, tmp_path: Path) -> None:
    """With progress, under its own name; the next start finds it and asks nobody."""
    told: list[str] = []
    found = await prepare_map(Config(data_dir=tmp_path, map=web.url), told.append)
    assert (found.path.read_bytes(), found.name) == (MAP, "town")
    assert any("100 %" in line for line in told)
    assert await fetch(web, tmp_path) == found.path
    assert find_map(Config(data_dir=tmp_path, map=web.url)) == found
    assert len(web.asked) == 1


async def test_starters_at_the_same_time_download_once(web: Web, tmp_path: Path) -> None:
    """One fetches, the others wait for it."""
    paths = await asyncio.gather(*(fetch(web, tmp_path) for _ in range(3)))
    assert len(set(paths)) == 1
    assert len(web.asked) == 1


async def test_a_download_that_broke_off_goes_on(web: Web, tmp_path: Path) -> None:
    """Only the rest is asked for again, and the whole is right."""
    web.cut_after, web.cuts = 300_000, 2
    assert (await fetch(web, tmp_path)).read_bytes() == MAP
    begins = [match[1] for each in web.asked if (match := re.search(r"(?i)range: bytes=(\d+)-", each))]
    assert len(web.asked) == 3
    assert [int(begin) > 0 for begin in begins] == [True, True]


async def test_what_arrived_is_kept_for_the_next_start(web: Web, tmp_path: Path) -> None:
    """The start fails after some tries and says so; the next one goes on. Never is half a map there."""
    web.cut_after, web.cuts = 100_000, 5
    with pytest.raises(ConfigError, match="start again, and the download resumes"):
        await fetch(web, tmp_path)
    assert not list(tmp_path.rglob("*.pbf"))
    with pytest.raises(ConfigError, match="not downloaded yet"):
        find_map(Config(data_dir=tmp_path, map=web.url))
    web.asked.clear()
    assert (await fetch(web, tmp_path)).read_bytes() == MAP
    assert len(web.asked) == 1
    assert "range: bytes=" in web.asked[0].lower()


async def test_halves_of_two_files_are_never_joined(web: Web, tmp_path: Path) -> None:
    """The file changed between two tries: it is fetched anew from its beginning."""
    web.cut_after, web.cuts = 100_000, 5
    with pytest.raises(ConfigError):
        await fetch(web, tmp_path)
    web.content, web.etag = NEWER, '"two"'
    assert (await fetch(web, tmp_path)).read_bytes() == NEWER


async def test_without_a_validator_nothing_is_gone_on_with(web: Web, tmp_path: Path) -> None:
    """A weak ETag or none says nothing of bytes."""
    web.etag, web.cut_after, web.cuts = 'W/"one"', 100_000, 1
    assert (await fetch(web, tmp_path)).read_bytes() == MAP
    assert len(web.asked) > 1
    assert all("range:" not in request.lower() for request in web.asked)


async def test_a_newer_one_is_fetched_when_asked_for(web: Web, tmp_path: Path) -> None:
    """The same is not fetched twice; a newer one takes its place, and what is made of it a new folder."""
    first = await prepare_map(Config(data_dir=tmp_path, map=web.url), ignore)
    told: list[str] = []
    assert await fetch(web, tmp_path, told.append, refresh=True) == first.path
    assert told == ["The map town-latest.osm.pbf is up to date"]
    web.content, web.etag = NEWER, '"two"'
    await fetch(web, tmp_path)
    assert first.path.read_bytes() == MAP
    second = await prepare_map(Config(data_dir=tmp_path, map=web.url), ignore, refresh=True)
    assert second.path.read_bytes() == NEWER
    assert second.folder != first.folder


async def test_addresses_move(web: Web, tmp_path: Path) -> None:
    """A redirection is followed, but only on the web."""
    async with serving(Web(status=302, location=web.url)) as old:
        assert (await fetch(old, tmp_path)).read_bytes() == MAP
    async with serving(Web(status=302, location="file:///etc/passwd")) as odd:
        with pytest.raises(ConfigError, match="could not be downloaded"):
            await fetch(odd, tmp_path)


@pytest.mark.parametrize(
    ("web_", "why"),
    [
        (Web(status=404), "404"),
        (Web(content=b"<html>" + b" " * 1000), "is a web page"),
        (Web(content=MAP[:-1]), "is cut off"),
        (Web(status=503), "503"),
    ],
)
async def test_what_is_no_map_is_told(
    web_: Web, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the setting's name; nothing is left that looks like one."""
    monkeypatch.setattr("tracker.map.download.PAUSE", 0.01)
    async with serving(web_):
        with pytest.raises(ConfigError, match=why) as caught:
            await fetch(web_, tmp_path)
    assert caught.value.setting == "TRACKER_MAP"
    assert not list(tmp_path.rglob("*.pbf"))


@pytest.mark.parametrize("says_length", [True, False])
async def test_a_map_that_is_too_large_is_refused(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says_length: bool
) -> None:
    """Beforehand where its size is told, and as soon as it is known else; nothing of it stays."""
    monkeypatch.setattr("tracker.map.download.LARGEST", 400_000)
    web.says_length = says_length
    with pytest.raises(ConfigError, match="smaller extract"):
        await fetch(web, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 1000]


@pytest.mark.parametrize("address", ["ftp://maps.example/town.osm.pbf", "file:///town.osm.pbf"])
async def test_only_the_web_is_asked(address: str, tmp_path: Path) -> None:
    """Other schemes are named as wrong."""
    with pytest.raises(ConfigError, match="http"):
        await prepare_map(Config(data_dir=tmp_path, map=address), ignore)


# --- what is no map


BROKEN = {
    "a web page": (
        b"<!DOCTYPE html>\n<html><body>404",
        "is a web page; use the address of",
    ),
    "osm xml": (b"<?xml version='1.0'?><osm version='0.6'/>", "is XML, not PBF; convert it: osmium cat town"),
    "osm xml after blanks": (b"\xef\xbb\xbf \n<osm version='0.6'/>", "is XML, not PBF; convert it"),
    "bzip2": (bz2.compress(b"<osm/>"), "is compressed with bzip2; convert it: osmium cat town.osm.pbf"),
    "gzip": (gzip.compress(b"<osm/>"), "is compressed with gzip; if it is an .osm.gz, convert it"),
    "zip": (b"PK\x03\x04" + bytes(30), "is a ZIP archive; unpack it"),
    "o5m": (b"\xff\xe0\x04o5m2", "is O5M, not PBF; convert it"),
    "geojson": (b'{"type":"FeatureCollection","features":[]}', "is JSON; give an .osm.pbf extract"),
    "text": (b"This is my map.\n", "is a text file; give an .osm.pbf extract"),
    "bytes": (bytes(range(256)), "is no OpenStreetMap extract; give"),
    "nothing": (b"", "is empty; download it again"),
    "the beginning": (demo()[:300_000], "is cut off after 300,000 bytes; download it again"),
    "all but a byte": (demo()[:-1], "is cut off"),
    "a header cut off": (demo()[:9], "is no OpenStreetMap extract"),
    "a block cut off in its header": (demo() + b"\0\0\0\x0d\n", "is cut off"),
    "noise behind it": (demo() + os.urandom(100_000), "is (damaged|cut off)"),
    "zeros behind it": (demo() + bytes(100_000), "is damaged after 685,110 of 785,110 bytes; download"),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_what_is_no_extract_is_named_in_a_sentence(kind: str, tmp_path: Path) -> None:
    """By setting, file, fault and fix; before anything else is started."""
    content, why = BROKEN[kind]
    (path := tmp_path / "town.osm.pbf").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        await prepare_map(Config(data_dir=tmp_path, map=str(path)), ignore)
    assert str(caught.value).startswith(f"TRACKER_MAP: {path} is ")
    assert re.search(why, str(caught.value))
    assert "\n" not in str(caught.value)


async def test_a_folder_is_no_extract(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder; give an"):
        await prepare_map(Config(data_dir=tmp_path, map=str(tmp_path)), ignore)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (path := tmp_path / "town.osm.pbf").write_bytes(demo())
    path.chmod(0)
    with pytest.raises(ConfigError, match=r"cannot be read \(Permission denied\)"):
        await prepare_map(Config(data_dir=tmp_path, map=str(path)), ignore)


@pytest.mark.parametrize("extract", [demo(), block(b"OSMHeader", b"") + block(b"OSMData", bytes(300))])
async def test_whole_files_are_taken(extract: bytes, tmp_path: Path) -> None:
    """Whatever is in the blocks."""
    (path := tmp_path / "town.osm.pbf").write_bytes(extract)
    assert (await prepare_map(Config(data_dir=tmp_path, map=str(path)), ignore)).path == path


# --- what is made of it


async def test_another_map_has_its_own_tiles(tmp_path: Path) -> None:
    """When the file changes, the tiles are built anew; the old ones stay as long as somebody may go back."""
    demo, extract = find_map(Config()).path, tmp_path / "town.osm.pbf"
    extract.write_bytes(demo.read_bytes())
    config = Config(data_dir=tmp_path, map=str(extract))
    one = await built(config)
    with osmium.SimpleWriter(str(extract), overwrite=True) as writer:  # the same streets, packed otherwise
        for thing in osmium.FileProcessor(str(demo)):
            writer.add(thing)
    two = await built(config)
    assert one.folder != two.folder
    assert one.folder.is_dir()


async def built(config: Config) -> MapExtract:
    """The map, whose tiles were not there and are now."""
    found, told = find_map(config), list[str]()
    async with Router.open(found, told.append):
        pass
    assert told[-1] == "The street network is ready"
    return found


def aged(marker: Path) -> None:
    past = marker.stat().st_mtime - UNUSED_FOR - 60.0
    os.utime(marker, (past, past))


def test_what_nobody_uses_any_more_goes(tmp_path: Path) -> None:
    """Folders of other maps a day after their last use; neither one that is in use, nor anything else."""
    extract = tmp_path / "town.osm.pbf"
    maps = []
    for content in (b"one", b"two", b"three", b"four"):
        extract.write_bytes(content)
        maps.append(find_map(Config(data_dir=tmp_path, map=str(extract))))
        maps[-1].folder.mkdir()
    unused, used, fresh, mine = maps
    (tmp_path / "map-style.json").write_text("{}")
    for each in (unused, fresh):
        with in_use(each):
            pass
    with in_use(used):
        for each in (unused, used):
            aged(each.folder.with_name(f"{each.folder.name}.used"))
        with in_use(mine):
            assert [each.folder.is_dir() for each in maps] == [False, True, True, True]
    assert (tmp_path / "map-style.json").is_file()
