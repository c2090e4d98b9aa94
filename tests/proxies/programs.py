"""Real nginx, HAProxy and Caddy on a free port of 127.0.0.1, with the files of deploy/ as they stand there.

Only what a host fills in is replaced: addresses, ports, certificates, and the places of files.
"""

import asyncio
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
import trustme
from websockets.asyncio.client import connect

from tests.waiting import until

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
START_WITHIN: Final = 20.0  # seconds
STOP_WITHIN: Final = 10.0  # seconds
NGINX: Final = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/tracker.conf;
}}
"""

type Edit = Callable[[str], str]


class Certificate(msgspec.Struct, frozen=True):
    """A certificate for 127.0.0.1 from an authority of the tests."""

    authority: Path
    chain: Path
    key: Path
    both: Path

    @property
    def trusting(self) -> ssl.SSLContext:
        """A new context each time, because HTTP clients offer HTTP/2 in theirs."""
        return ssl.create_default_context(cafile=self.authority)

    def copied_to(self, folder: Path) -> "Certificate":
        """A copy that a test may replace."""
        files = (self.authority, self.chain, self.key, self.both)
        return Certificate(*(Path(shutil.copy(file, folder)) for file in files))

    @classmethod
    def make(cls, folder: Path) -> "Certificate":
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "::1")
        made = cls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem", folder / "both.pem")
        authority.cert_pem.write_to_path(made.authority)
        issued.private_key_pem.write_to_path(made.key)
        made.chain.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        made.both.write_bytes(made.chain.read_bytes() + made.key.read_bytes())
        return made


class Ports(msgspec.Struct, frozen=True):
    """Where the proxy listens, and the nodes behind it."""

    http: int
    https: int
    upstream: str
    second: str = ""  # the second node, if there is one
    certbot: int = 0  # where certbot answers the challenges of its authority


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Return the text with each first part replaced by the second; each must be there."""
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after)
    return text


@cache
def has_ipv6() -> bool:
    """Whether this machine has the loopback address ::1; some containers don't."""
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def without_ipv6(text: str, sign: str) -> str:
    """Return the lines that do not listen on IPv6 addresses, if this machine has none."""
    return text if has_ipv6() else "".join(line for line in text.splitlines(True) if sign not in line)


def with_second(text: str, second: str) -> str:
    """Uncomment the lines of a second node if there is one."""
    if not second:
        return text
    return replaced(text, ("# server ", "server "), ("10.0.0.2:8080", second))


def nginx_command(folder: Path, text: str, ports: Ports, certificate: Certificate) -> list[str]:
    filled = replaced(
        with_second(text, ports.second),
        ("listen 80;", f"listen 127.0.0.1:{ports.http};"),
        ("listen [::]:80;", f"listen [::1]:{ports.http};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{ports.https} ssl"),
        ("listen [::]:443 ssl", f"listen [::1]:{ports.https} ssl"),
        ("server_name track.example", "server_name 127.0.0.1"),
        ("/etc/letsencrypt/live/track.example/fullchain.pem", str(certificate.chain)),
        ("/etc/letsencrypt/live/track.example/privkey.pem", str(certificate.key)),
        ("server 127.0.0.1:8080 ", f"server {ports.upstream} "),
        ("root /var/www/html;", f"root {folder}/www;"),
    )
    (folder / "tracker.conf").write_text(without_ipv6(filled, "[::1]"), "utf-8")
    user = "user root;" if os.geteuid() == 0 else ""  # its workers write into the test's folder
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user), "utf-8")
    return ["nginx", "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]


def haproxy_command(folder: Path, text: str, ports: Ports, certificate: Certificate) -> list[str]:
    filled = replaced(
        with_second(text, ports.second),
        ("/run/haproxy/admin.sock", f"{folder}/admin.sock"),
        ("bind :80", f"bind 127.0.0.1:{ports.http}"),
        ("bind :::80", f"bind ::1:{ports.http}"),
        ("bind :443", f"bind 127.0.0.1:{ports.https}"),
        ("bind :::443", f"bind ::1:{ports.https}"),
        ("/etc/haproxy/track.example.pem", str(certificate.both)),
        ("127.0.0.1:8080", ports.upstream),
        ("127.0.0.1:8888", f"127.0.0.1:{ports.certbot}"),
    )
    if os.geteuid() != 0:
        filled = replaced(filled, ("    user haproxy\n    group haproxy\n", ""))
    (folder / "haproxy.cfg").write_text(without_ipv6(filled, "bind ::1:"), "utf-8")
    return ["haproxy", "-W", "-f", str(folder / "haproxy.cfg")]


def caddy_command(folder: Path, text: str, ports: Ports, certificate: Certificate) -> list[str]:
    host = "{$PUBLIC_HOST:localhost} {"
    addresses = "127.0.0.1 [::1]" if has_ipv6() else "127.0.0.1"
    local = f"http_port {ports.http}\n\tadmin off"
    filled = replaced(
        text,
        ("{\n\tgrace_period", f"{{\n\t{local}\n\tgrace_period"),
        (host, f"{host}\n\tbind {addresses}\n\ttls {certificate.chain} {certificate.key}"),
    )
    (folder / "Caddyfile").write_text(filled, "utf-8")
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


PROGRAMS: Final[dict[str, tuple[str, Callable[[Path, str, Ports, Certificate], list[str]]]]] = {
    "nginx": ("nginx.conf", nginx_command),
    "haproxy": ("haproxy.cfg", haproxy_command),
    "caddy": ("Caddyfile", caddy_command),
}


class Proxy:
    """One proxy program in front of one service."""

    def __init__(
        self,
        name: str,
        folder: Path,
        upstream: str,
        certificate: Certificate,
        *,
        edit: Edit | None = None,
        second: str = "",
    ) -> None:
        self.name, self.certificate = name, certificate
        self.folder = folder
        file, command = PROGRAMS[name]
        text = (DEPLOY / file).read_text("utf-8")
        self.ports = Ports(free_port(), free_port(), upstream, second, free_port())
        self._command = command(folder, edit(text) if edit else text, self.ports, certificate)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.ports.https}"

    def client(self, *, source: str | None = None, **more: Any) -> httpx.AsyncClient:
        """An HTTP/2 client, from the loopback address *source*."""
        transport = httpx.AsyncHTTPTransport(
            verify=self.certificate.trusting, http2=more.pop("http2", True), local_address=source
        )
        return httpx.AsyncClient(transport=transport, base_url=self.url, timeout=30.0, **more)

    def socket(self, path: str, **more: Any) -> connect:
        """A WebSocket, not yet open."""
        url = f"wss://127.0.0.1:{self.ports.https}{path}"
        return connect(url, ssl=self.certificate.trusting, compression=None, **more)

    async def start(self) -> None:
        environment = {
            **os.environ,
            "HOME": str(self.folder),
            "XDG_DATA_HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder),
            "PUBLIC_HOST": self.url,
            "UPSTREAM": self.ports.upstream,
        }
        with (self.folder / "output.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        process = self._process

        async def listens() -> bool:
            assert process.returncode is None, (self.folder / "output.log").read_text("utf-8")
            return await self._listens()

        await until(listens, START_WITHIN)

    async def _listens(self) -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.ports.https)
            writer.close()
            return True
        return False

    def reload(self) -> None:
        """Have it read its files again, as its systemd unit does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP if self.name == "nginx" else signal.SIGUSR2)

    async def stop(self) -> None:
        """End it at once, with all its connections."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), STOP_WITHIN)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


def skip_if_absent(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}; `apt-get install {name}` brings it")


@asynccontextmanager
async def running_proxy(
    name: str,
    folder: Path,
    upstream: str,
    certificate: Certificate,
    *,
    edit: Edit | None = None,
    second: str = "",
) -> AsyncIterator[Proxy]:
    """Run a proxy in front of *upstream*, and a *second* node, during the block; *edit* changes its file."""
    skip_if_absent(name)
    folder.mkdir(parents=True, exist_ok=True)
    proxy = Proxy(name, folder, upstream, certificate, edit=edit, second=second)
    try:
        await proxy.start()
        yield proxy
    finally:
        await proxy.stop()
