"""Dockerfile and docker-compose.yml: whatever they name exists. They are parsed here, not run."""

import io
import json
import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from dockerfile_parse import DockerfileParser
from quart import Quart

import driver_sim.__main__
import tracker.__main__
from tracker.api import health
from tracker.config import SETTINGS, Config

ROOT = Path(__file__).parent.parent
PROGRAMS = {"tracker": tracker.__main__.main, "driver-sim": driver_sim.__main__.main}
SECRETS = {"TRACKER_ADMIN_KEY", "TRACKER_SECRET", "POSTGRES_PASSWORD", "DATABASE_URL"}


@pytest.fixture(scope="module")
def dockerfile() -> DockerfileParser:
    content = (ROOT / "Dockerfile").read_bytes()
    parser = DockerfileParser(fileobj=io.BytesIO())
    parser.content = content.decode()
    return parser


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def instructions(dockerfile: DockerfileParser, name: str) -> list[str]:
    return [step["value"] for step in dockerfile.structure if step["instruction"] == name]


def last_stage(dockerfile: DockerfileParser) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = dockerfile.structure
    begin = max(index for index, step in enumerate(steps) if step["instruction"] == "FROM")
    return steps[begin:]


def environment(dockerfile: DockerfileParser) -> dict[str, str]:
    pairs = " ".join(instructions(dockerfile, "ENV"))
    return dict(pair.split("=", 1) for pair in shlex.split(pairs))


def check_command(command: list[str]) -> None:
    """Raises click.UsageError where the program would refuse the arguments."""
    program, *arguments = command
    node: click.Command = PROGRAMS[program]
    while isinstance(node, click.Group):
        context = click.Context(node)
        found = node.get_command(context, arguments[0])
        assert found is not None, f"{program} has no command {arguments[0]}"
        node, arguments = found, arguments[1:]
    node.make_context(command[0], arguments)


def test_the_image_copies_what_is_there(dockerfile: DockerfileParser) -> None:
    """Every file that a COPY names is in the checkout, and .dockerignore lets it through."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    sources = [
        source
        for value in instructions(dockerfile, "COPY")
        if not value.startswith("--from")
        for source in value.split()[:-1]
    ]
    assert "pyproject.toml" in sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert set(sources) == let_through


def test_what_the_wheel_needs_is_copied(dockerfile: DockerfileParser) -> None:
    """The build hook, the readme and every package of pyproject.toml go into the image's first stage."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {project["project"]["readme"], *project["project"]["license-files"]}
    needed |= set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    needed |= {path.name for path in ROOT.glob("hatch_build.py")} | {"sql", "web"}
    copied = " ".join(instructions(dockerfile, "COPY")).split()
    assert needed <= set(copied)


def test_the_image_installs_locked_packages(dockerfile: DockerfileParser) -> None:
    """Every requirements file that the image installs exists and is checked by its hashes."""
    runs = " ".join(instructions(dockerfile, "RUN"))
    files = re.findall(r"-r (\S+)", runs)
    assert files
    assert len(files) == runs.count("--require-hashes")
    assert all((ROOT / name).is_file() for name in files)


def test_the_image_runs_as_a_user(dockerfile: DockerfileParser) -> None:
    """The last stage ends as a user without privileges, who owns the volume."""
    users = [step["value"] for step in last_stage(dockerfile) if step["instruction"] == "USER"]
    assert users == ["tracker"]
    made = " ".join(step["value"] for step in last_stage(dockerfile) if step["instruction"] == "RUN")
    assert "useradd" in made
    assert f"--owner {users[0]}" in made
    assert instructions(dockerfile, "VOLUME") == [environment(dockerfile)["TRACKER_DATA_DIR"]]


def test_the_images_settings_are_settings(dockerfile: DockerfileParser) -> None:
    """The image sets only what the service knows, to values that it takes, and no secret."""
    given = {name: value for name, value in environment(dockerfile).items() if name.startswith("TRACKER_")}
    assert set(given) <= set(SETTINGS) - SECRETS
    assert str(Config.from_environment(given).data_dir) == "/data"


def test_the_image_starts_the_service(dockerfile: DockerfileParser) -> None:
    """CMD is a command line that `tracker` takes."""
    (command,) = instructions(dockerfile, "CMD")
    check_command(json.loads(command))


def test_the_health_check_asks_what_is_answered(dockerfile: DockerfileParser) -> None:
    """The health check's address is the bound port, and its path one of the service's."""
    (check,) = instructions(dockerfile, "HEALTHCHECK")
    match = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", check)
    assert match
    assert environment(dockerfile)["TRACKER_BIND"].endswith(f":{match[1]}")
    app = Quart(__name__)
    app.register_blueprint(health.blueprint)
    assert match[2] in {rule.rule for rule in app.url_map.iter_rules()}
    compile(json.loads(check[check.index("[") :])[2], "HEALTHCHECK", "exec")


def test_every_service_starts_with_a_command_that_exists(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programs take the command lines that the services give, with the environment that they get."""
    for service in compose["services"].values():
        if "command" in service:
            with monkeypatch.context() as patch:
                for name, value in service["environment"].items():
                    patch.setitem(os.environ, name, str(value))
                check_command(service["command"])


def test_the_services_settings_are_settings(compose: dict[str, Any]) -> None:
    """The service gets only settings that it knows, and names the database that PostgreSQL makes."""
    given = compose["services"]["tracker"]["environment"]
    assert set(given) <= set(SETTINGS)
    made = compose["services"]["postgres"]["environment"]
    assert given["DATABASE_URL"].startswith(f"postgresql://{made['POSTGRES_USER']}:")
    assert given["DATABASE_URL"].endswith(f"@postgres:5432/{made['POSTGRES_DB']}")


def test_secrets_come_from_outside(compose: dict[str, Any]) -> None:
    """No key or password is written in the file."""
    for service in compose["services"].values():
        for name, value in service["environment"].items():
            if name in SECRETS or name.endswith("_KEY"):
                assert re.search(r"\$\{\w+:[?-]", value), name


def test_every_variable_is_explained(compose: dict[str, Any]) -> None:
    """Whatever the file takes from the environment stands in the documentation of the deployment."""
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    names = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    assert names
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_services_and_volumes_that_are_named_are_there(compose: dict[str, Any]) -> None:
    """Dependencies are services with a health check, volumes are declared, ports lead to the bound one."""
    services = compose["services"]
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert "healthcheck" in services[needed] or services[needed].get("build") == "."
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in compose["volumes"]
    assert all(port.endswith(":8080") for port in services["tracker"]["ports"])
    assert services["simulator"]["profiles"] == ["simulator"]
    assert services["simulator"]["environment"]["DRIVER_SIM_URL"] == "http://tracker:8080"
    assert services["simulator"]["image"] == services["tracker"]["image"]


def test_the_image_is_tagged_with_the_packages_version(compose: dict[str, Any]) -> None:
    """The image's tag is the version in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert compose["services"]["tracker"]["image"].endswith(f":{project['project']['version']}")
