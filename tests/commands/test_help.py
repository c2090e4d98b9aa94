"""The command lines of `tracker` and `driver-sim`: help, usage errors, completion."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from shutil import which

import click
import pytest
from click.testing import CliRunner

import driver_sim.__main__
import tracker.__main__
from tracker.commands.options import default_of
from tracker.config import SETTINGS, Setting

PROGRAMS: dict[str, click.Group] = {
    "tracker": tracker.__main__.main,
    "driver-sim": driver_sim.__main__.main,
}


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """The command and all below it, each with the words that call it."""
    yield name, command
    if isinstance(command, click.Group):
        for word, below in command.commands.items():
            yield from commands(f"{name} {word}", below)


ALL = [pair for program in PROGRAMS.items() for pair in commands(*program)]


def help_of(words: str, width: int = 80) -> str:
    program, *rest = words.split()
    result = CliRunner().invoke(PROGRAMS[program], [*rest, "--help"], terminal_width=width, prog_name=program)
    assert result.exit_code == 0
    return result.output


def one_line(text: str) -> str:
    return re.sub(r"(?<=\w-) (?=\w)", "", " ".join(text.split()))  # help breaks lines at hyphens too


@pytest.mark.parametrize(("words", "command"), ALL, ids=[words for words, _ in ALL])
def test_help_is_complete_in_80_columns(words: str, command: click.Command) -> None:
    """Every text is there to its last word, and no line is wider."""
    shown = help_of(words)
    assert max(map(len, shown.splitlines())) <= 80
    assert "..." not in shown.replace("[ARGS]...", "").replace("FILES...", "").replace("TRIPS...", "")
    assert one_line(command.help or "") in one_line(shown)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help and one_line(parameter.help) in one_line(shown), parameter.name
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        sentence = (below.help or "").partition(".")[0]
        assert one_line(sentence) in one_line(shown)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_version_is_that_of_the_package(program: str) -> None:
    """One package, one version."""
    result = CliRunner().invoke(PROGRAMS[program], ["--version"], prog_name=program)
    assert (result.exit_code, result.output) == (0, f"{program}, version {version('order-tracker')}\n")


@pytest.mark.parametrize("words", [words for words, command in ALL if isinstance(command, click.Group)])
def test_a_group_without_a_command_shows_its_help(words: str) -> None:
    """And exits with the status of a usage error."""
    program, *rest = words.split()
    result = CliRunner().invoke(PROGRAMS[program], rest, prog_name=program)
    assert result.exit_code == 2
    assert one_line(result.output) == one_line(help_of(words, width=80))


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.name)
def test_every_setting_is_an_option_of_serve(setting: Setting) -> None:
    """Its help has meaning, variable and default; a secret has an option for its file only."""
    shown = one_line(help_of("tracker serve"))
    variable = setting.file_name if setting.secret else setting.name
    assert f" {setting.option} " in shown
    assert setting.meaning in shown
    assert f"[env var: {variable}; default: {default_of(setting)}]" in shown
    assert setting.option.endswith("-file") == setting.secret
    if setting.secret:
        assert f" {setting.option.removesuffix('-file')} " not in shown


@pytest.mark.parametrize(
    "words",
    [
        "tracker unknown",
        "tracker serve --unknown",
        "tracker serve --bind",
        "tracker serve --bind 8080",
        "tracker serve --retention-days never",
        "tracker serve --log-level loud",
        "tracker serve --secret-file /nowhere",
        "tracker serve --database-url x",
        "tracker check --tls-cert /nowhere",
        "tracker settings --bind 8080",
        "tracker keys create",
        "tracker keys create --name x --scope all",
        "tracker demo --port 70000",
        "tracker demo --drivers 0",
        "tracker eta evaluate",
        "driver-sim run --api-key x --drivers 0",
        "driver-sim replay",
    ],
)
def test_a_usage_error_has_status_2_and_names_what_is_wrong(words: str) -> None:
    """The words that are wrong are in the message."""
    program, *rest = words.split()
    environment = {"DRIVER_SIM_API_KEY": None}
    result = CliRunner().invoke(PROGRAMS[program], rest, prog_name=program, env=environment)
    assert result.exit_code == 2, result.output
    assert any(line.startswith("Error: ") for line in result.output.splitlines())


def test_an_error_of_an_option_names_the_option() -> None:
    """Not the variable, which is not set; also where two settings belong together."""
    for arguments, text in (
        (["--bind", "8080"], "Error: --bind: must be an address and a port, like 127.0.0.1:8080"),
        (["--tls-cert", "/x"], "Error: --tls-cert: set both --tls-cert and TRACKER_TLS_KEY, or neither"),
    ):
        result = CliRunner().invoke(PROGRAMS["tracker"], ["serve", *arguments])
        assert result.output.splitlines()[-1] == text


# --- shell completion

SCRIPT = Path(sys.executable).with_name("tracker")


@pytest.mark.parametrize(
    ("shell", "answer"),
    [("bash", "plain,serve"), ("zsh", "plain\nserve\nRun one node"), ("fish", "plain,serve\tRun one node")],
)
def test_each_shell_gets_its_script_and_its_answers(shell: str, answer: str) -> None:
    """The script asks the program, in the shell's own format."""
    script = CliRunner().invoke(
        PROGRAMS["tracker"], env={"_TRACKER_COMPLETE": f"{shell}_source"}, prog_name="tracker"
    )
    assert f"_TRACKER_COMPLETE={shell}_complete" in script.output
    asked = {"_TRACKER_COMPLETE": f"{shell}_complete", "COMP_WORDS": "tracker ser", "COMP_CWORD": "ser"}
    if shell != "fish":
        asked["COMP_CWORD"] = "1"
    assert CliRunner().invoke(PROGRAMS["tracker"], env=asked, prog_name="tracker").output.startswith(answer)


@pytest.mark.skipif(which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (("tracker", "res"), "restore"),
        (("tracker", "serve", "--admin"), "--admin-key-file"),
        (("tracker", "serve", "--log-level", "wa"), "warning"),
        (("tracker", "keys", "re"), "revoke"),
    ],
)
def test_bash_completes(words: tuple[str, ...], completed: str) -> None:
    """Commands, options and values, in a real shell that has read the documented line."""
    line = f"""
eval "$(_TRACKER_COMPLETE=bash_source tracker)"
COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}
_tracker_completion tracker
echo "${{COMPREPLY[@]}}"
"""
    environment = {"PATH": f"{SCRIPT.parent}:/usr/bin:/bin", "HOME": "/nonexistent"}
    done = subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (completed, "")


def test_commands_of_the_database_load_neither_the_server_nor_the_map() -> None:
    """They are quick, so that scripts may call them often."""
    modules = ", ".join(f"tracker.commands.{name}" for name in ("backup", "drivers", "keys", "migrate"))
    code = f"import sys, {modules}; print(*{{'quart', 'hypercorn', 'numpy'}} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == []
