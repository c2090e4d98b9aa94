"""Dockerfile and docker-compose.yml: what they name exists. Here they are parsed; in containers/ they run."""

import io
import json
import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import click
import pytest
import yaml
from click.testing import CliRunner
from dockerfile_parse import DockerfileParser
from msgspec.structs import replace

import driver_sim.__main__
import tracker.__main__
from tracker.config import Config
from tracker.config.settings import SETTINGS
from tracker.database_url import asyncpg_url

ROOT = Path(__file__).parent.parent
SECRETS = {name: setting.file_name for name, setting in SETTINGS.items() if setting.secret}
PROGRAMS = {"tracker": tracker.__main__.main, "driver-sim": driver_sim.__main__.main}


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
    needed = {"README.md", *project["project"]["license-files"]}
    needed |= set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    needed |= {path.name for path in ROOT.glob("hatch_build.py")} | {"sql", "web"}
    copied = " ".join(instructions(dockerfile, "COPY")).split()
    assert needed <= set(copied)


def test_the_image_installs_locked_packages(dockerfile: DockerfileParser) -> None:
    """Every requirements file that the image installs exists and is checked by its hashes."""
    runs = " ".join(instructions(dockerfile, "RUN"))
    files = re.findall(r"-r (requirements\S+)", runs)
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
    assert set(given) <= set(SETTINGS) - set(SECRETS)
    assert str(Config.from_environment(given).data_dir) == "/data"


def test_the_image_starts_the_service(dockerfile: DockerfileParser) -> None:
    """CMD is a command line that `tracker` takes."""
    (command,) = instructions(dockerfile, "CMD")
    check_command(json.loads(command))


def test_base_images_are_pinned(dockerfile: DockerfileParser, compose: dict[str, Any]) -> None:
    """Each image has its registry and its whole version, and both stages of the Dockerfile the same one."""
    bases = [value.split()[0] for value in instructions(dockerfile, "FROM")]
    assert len(set(bases)) == 1
    others = [service["image"] for service in compose["services"].values() if "docker.io" in service["image"]]
    assert len(others) == 9
    for image in bases + others:
        version = r"v?(\d+\.\d+\.\d+|\d+\.\d+(\.\d+)?-\w[\w-]*)"
        assert re.fullmatch(rf"docker\.io/(library|prom|grafana)/[\w-]+:{version}", image), image


def test_the_image_is_tried_when_it_is_built(dockerfile: DockerfileParser) -> None:
    """Both programs run in the build, as the user and with the libraries that they run with later."""
    steps = last_stage(dockerfile)
    (tried,) = [step for step in steps if step["instruction"] == "RUN" and "--version" in step["value"]]
    assert {"tracker --version", "driver-sim --version"} <= set(tried["value"].split(" && "))
    user = next(step for step in steps if step["instruction"] == "USER")
    assert steps.index(user) < steps.index(tried)
    for program in PROGRAMS.values():
        assert CliRunner().invoke(program, ["--version"]).exit_code == 0


def test_the_health_check_is_the_same_in_both(dockerfile: DockerfileParser, compose: dict[str, Any]) -> None:
    """The image and the composition run the installed script with the same times."""
    (check,) = instructions(dockerfile, "HEALTHCHECK")
    copied = " ".join(instructions(dockerfile, "COPY"))
    (command,) = json.loads(check[check.index("[") :])
    assert f"deploy/{command}.sh /usr/local/bin/{command}" in copied
    wanted = compose["services"]["tracker"]["healthcheck"]
    assert wanted["test"] == ["CMD", command]
    options = dict(re.findall(r"--([a-z-]+)=(\w+)", check))
    assert options == {name.replace("_", "-"): str(value) for name, value in wanted.items() if name != "test"}


def test_every_service_starts_with_a_command_that_exists(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programs take the command lines that the services give, with the environment that they get."""
    for service in compose["services"].values():
        if "command" in service and service["image"].startswith("order-tracker"):
            given = service["environment"]
            command = service["command"]
            if command[:2] == ["sh", "-c"]:
                setting, _, command = command[2].partition(" exec ")
                given, command = {**given, setting.partition("=")[0]: "from a file"}, shlex.split(command)
            with monkeypatch.context() as patch:
                for name, value in given.items():
                    patch.setitem(os.environ, name, str(value))
                check_command(command)


def test_every_setting_is_passed_on(compose: dict[str, Any], dockerfile: DockerfileParser) -> None:
    """The service gets each setting once: from the composition or the image, as a value or as a file."""
    given = {**environment(dockerfile), **compose["services"]["tracker"]["environment"]}
    for name in SETTINGS:
        assert (name in given) + (SECRETS.get(name) in given) == 1, name
    passed = compose["services"]["tracker"]["environment"]
    assert set(passed) <= {*SETTINGS, *SECRETS.values()}


def test_the_defaults_are_those_of_the_service(compose: dict[str, Any]) -> None:
    """With nothing set, the service gets what it would choose itself, except for the proxies."""
    given = compose["services"]["tracker"]["environment"]
    values = {
        name: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", str(value))
        for name, value in given.items()
        if not name.endswith("_FILE")
    }
    assert len(values) >= 10
    config = Config.from_environment(values)
    assert replace(config, trusted_proxies="") == Config()
    assert not any(network.is_global for network in config.proxies)


def test_any_password_becomes_a_url(tmp_path: Path, compose: dict[str, Any]) -> None:
    """make-secrets.sh writes a URL from which the service reads the very password; it keeps what is there."""
    password = " p@ss:/w%rd #?[]\\\"'$`x é+&=*;|%40 "
    (tmp_path / "deploy").mkdir()
    script = tmp_path / "deploy/make-secrets.sh"
    script.write_bytes((ROOT / "deploy/make-secrets.sh").read_bytes())
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/postgres_password").write_text(password + "\n")
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True)
    made = {path.name: path for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(compose["secrets"])
    assert made["postgres_password"].read_text() == password + "\n"
    url = Config.from_environment({"DATABASE_URL_FILE": str(made["database_url"])}).database_url
    assert url is not None
    assert dict(parse_qsl(urlsplit(asyncpg_url(url)).query, keep_blank_values=True))["password"] == password
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert len({made[name].read_text() for name in ("admin_key", "tracker_secret")}) == 2
    assert all(len(made[name].read_text()) >= 20 for name in ("admin_key", "tracker_secret"))


def test_secrets_and_settings_stay_out_of_git() -> None:
    """Git ignores `.env` and `secrets/`."""
    names = [".env", "secrets/admin_key"]
    ignored = subprocess.run(
        ["git", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ignored.stdout.split() == names


def test_every_container_is_confined(compose: dict[str, Any]) -> None:
    """Read-only, with a limit of memory, rotated logs and no new privileges; ours without capabilities."""
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert "mem_limit" in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
        assert service.get("cap_drop") == ["ALL"] or name == "postgres"


def test_the_example_of_settings_is_complete(compose: dict[str, Any]) -> None:
    """`.env.example` has each variable of the composition, with the default that it has there."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    wanted = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
    shown = dict(
        re.findall(r"^#(\w+)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert set(shown) == set(wanted)
    assert {name for name in wanted if wanted[name] not in {"", "localhost", shown[name]}} == set()


def test_secrets_come_from_files(compose: dict[str, Any]) -> None:
    """No key or password stands in the file or in an environment; each secret that is named is declared."""
    for service in compose["services"].values():
        paths = [value for name, value in service.get("environment", {}).items() if name.endswith("_FILE")]
        assert {path.removeprefix("/run/secrets/") for path in paths} <= set(service.get("secrets", []))
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
        for name in service.get("environment", {}):
            assert name not in {"TRACKER_ADMIN_KEY", "TRACKER_SECRET", "DATABASE_URL"}
            assert not name.endswith(("_PASSWORD", "API_KEY"))


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
            source = re.sub(r"^\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
            is_private = source.startswith("./secrets/")  # the operator's own
            assert source in compose["volumes"] or is_private or (ROOT / source).is_file()
    assert all(port.endswith(":8080") for port in services["tracker"]["ports"])
    assert services["simulator"]["profiles"] == ["simulator"]
    assert services["simulator"]["environment"]["DRIVER_SIM_URL"] == "${SIMULATOR_URL:-http://tracker:8080}"
    assert services["simulator"]["image"] == services["tracker"]["image"]


def test_the_image_is_tagged_with_the_packages_version(compose: dict[str, Any]) -> None:
    """The image's tag is the version in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert compose["services"]["tracker"]["image"].endswith(f":{project['project']['version']}")
