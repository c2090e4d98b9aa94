"""Podman on any machine, also without systemd, without some capabilities and without a registry of images.

Obstacles seen, and what is done about each here:

- Without CAP_SYS_RESOURCE, the kernel refuses Podman's default limits of files and processes. Ours are the
  machine's own.
- Without systemd, Podman manages control groups itself, events go to a file, and no timer runs the health
  checks: `health_checks` runs them instead.
- With both versions of control groups mounted, crun refuses to start; runc does not.
- Debian's podman-compose cannot read this composition; the locked one comes from PyPI. With Podman before 4.6
  it starts services in order without waiting for health. The service then ends and is started again.
- pip and npm in a build know nothing of this machine's settings. They are mounted, so that nothing of them
  stays in the image.
- An image in the OCI format has no health check. The composition brings its own.
- Netavark leaves empty chains in iptables when the last network is gone. They do nothing and stay.
"""

import os
import resource
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

CHECK_EVERY: Final = 2.0  # seconds
UNIFIED: Final = Path("/sys/fs/cgroup/unified")  # is there when both versions of control groups are mounted
PIP_PATHS: Final = ("cert", "constraint", "find-links", "index-url", "extra-index-url")


def missing() -> str | None:
    """What this machine lacks to run containers; None if nothing."""
    if os.geteuid() != 0:
        return "containers are tested as root: networks and control groups need it"
    lacking = [name for name in ("podman", "netavark") if not _found(name)]
    if lacking:
        return f"no {' and no '.join(lacking)} on this machine; CONTRIBUTING.md names the packages"
    return None


def _found(name: str) -> bool:
    return any(
        shutil.which(name, path=path)
        for path in (os.environ["PATH"], "/usr/lib/podman", "/usr/libexec/podman")
    )


class Engine:
    """Podman and podman-compose with a configuration of their own, in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "containers.conf").write_text(_containers_conf())
        self.environment = os.environ | {"CONTAINERS_CONF": str(folder / "containers.conf")}

    def podman(self, *arguments: str, timeout: float = 900, check: bool = True) -> str:
        """Run podman and return its standard output. Raises CalledProcessError, TimeoutExpired."""
        return self._run(["podman", *arguments], timeout, check=check)

    def compose(
        self,
        checkout: Path,
        *arguments: str,
        settings: dict[str, str],
        timeout: float = 900,
        check: bool = True,
    ) -> str:
        """Run podman-compose for a checkout, as `docker compose` is run there."""
        program = [
            sys.executable,
            "-m",
            "podman_compose",
            "--podman-build-args",
            shlex.join(self.build_options()),
        ]
        return self._run([*program, *arguments], timeout, check=check, cwd=checkout, settings=settings)

    def _run(
        self,
        command: list[str],
        timeout: float,
        *,
        check: bool,
        cwd: Path | None = None,
        settings: dict[str, str] | None = None,
    ) -> str:
        environment = self.environment | (settings or {})
        done = subprocess.run(
            command, cwd=cwd, env=environment, timeout=timeout, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            output = f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
            raise subprocess.CalledProcessError(done.returncode, shlex.join(command), output)
        return done.stdout

    def build_options(self) -> list[str]:
        """Options of a build: this machine's network, and its settings of pip and npm as mounts."""
        settings = _pip_settings()
        files = {
            "/etc/pip.conf": self._written(
                "pip.conf", ["[global]", *(f"{k} = {v}" for k, v in settings.items())]
            )
        }
        paths = {path for key in PIP_PATHS for path in _local_paths(settings.get(key, ""))}
        if authority := os.environ.get("NODE_EXTRA_CA_CERTS", settings.get("cert", "")):
            files["/root/.npmrc"] = self._written("npmrc", [f"cafile={authority}"])
            paths.add(authority)
        mounts = [f"{source}:{target}:ro" for target, source in files.items()]
        mounts += [f"{path}:{path}:ro" for path in sorted(paths) if Path(path).exists()]
        return ["--network", "host", *(part for mount in mounts for part in ("--volume", mount))]

    def _written(self, name: str, lines: list[str]) -> Path:
        (self._folder / name).write_text("\n".join(lines) + "\n")
        return self._folder / name

    @contextmanager
    def health_checks(self) -> Iterator[None]:
        """Run the health checks of all containers every CHECK_EVERY, as systemd's timers do elsewhere."""
        end = threading.Event()
        thread = threading.Thread(target=self._check_health, args=(end,))
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    def _check_health(self, end: threading.Event) -> None:
        while not end.wait(CHECK_EVERY):
            for name in self.podman("ps", "--format", "{{.Names}}", check=False).split():
                with suppress(subprocess.TimeoutExpired):
                    self.podman("healthcheck", "run", name, timeout=30, check=False)


def _containers_conf() -> str:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    processes = min(resource.getrlimit(resource.RLIMIT_NPROC)[1], 20_000)
    processes = 20_000 if processes < 0 else processes
    lines = ["[containers]", f'default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]']
    lines += ["[engine]", 'events_logger = "file"']
    if not Path("/run/systemd/system").exists():
        lines.append('cgroup_manager = "cgroupfs"')
    if UNIFIED.exists():
        lines.append('runtime = "runc"')
    return "\n".join(lines) + "\n"


def _pip_settings() -> dict[str, str]:
    """The settings of this machine's pip, from its files and from the environment, which wins."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    pairs = [line.split("=", 1) for line in listed]
    settings = {
        key.removeprefix("global."): value.strip("'\"") for key, value in pairs if key.startswith("global.")
    }
    return settings | {
        key.removeprefix(":env:."): value.strip("'\"") for key, value in pairs if key.startswith(":env:.")
    }


def _local_paths(value: str) -> list[str]:
    """The paths among a setting's words: plain ones and file: addresses."""
    words = [word.removeprefix("file://") for word in value.replace("\\n", " ").split()]
    paths = [Path(word) for word in words if word.startswith("/")]
    return [str(path.parent if path.name == "simple" else path) for path in paths]
