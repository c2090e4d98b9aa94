"""The files of deploy/: what they take from the environment, and times and sizes that fit the service."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tracker.api.json_bodies import BODY_BYTES, BODY_TIMEOUT
from tracker.api.tracking.poll import LONGEST_WAIT
from tracker.api.tracking.session import HEARTBEAT_EVERY
from tracker.messages import FRAME_BYTES
from tracker.websocket.http11 import KEEP_ALIVE

CADDY = shutil.which("caddy")
DEPLOY = Path(__file__).parents[2] / "deploy"
needs_caddy = pytest.mark.skipif(CADDY is None, reason="needs Caddy; `apt-get install caddy`")


def adapted(**variables: str) -> Any:
    """Return the configuration that Caddy makes of the file."""
    environment = {"PATH": os.environ["PATH"], **variables}
    command = [str(CADDY), "adapt", "--config", str(DEPLOY / "Caddyfile")]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return json.loads(done.stdout)


@needs_caddy
def test_host_and_upstream_come_from_the_environment() -> None:
    """Compose sets both; without them Caddy serves localhost from the service's default address."""
    given = json.dumps(adapted(PUBLIC_HOST="track.example", UPSTREAM="tracker:8080"))
    assert '"host": ["track.example"]' in given
    assert '"dial": "tracker:8080"' in given
    default = json.dumps(adapted())
    assert '"host": ["localhost"]' in default
    assert '"dial": "127.0.0.1:8080"' in default


def seconds(file: str, pattern: str) -> list[int]:
    """Return the seconds that a file of deploy/ sets with this pattern, at least one."""
    found = [int(number) for number in re.findall(pattern, (DEPLOY / file).read_text("utf-8"))]
    assert found, pattern
    return found


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("nginx.conf", r"proxy_read_timeout (\d+)s"),
        ("nginx.conf", r"proxy_send_timeout (\d+)s"),
        ("haproxy.cfg", r"timeout (?:server|tunnel|client) (\d+)s"),
        ("Caddyfile", r"response_header_timeout (\d+)s"),
    ],
)
def test_no_proxy_ends_what_is_only_quiet(file: str, pattern: str) -> None:
    """Its timeouts exceed the longest poll, the heartbeat, and the time for a body."""
    assert min(seconds(file, pattern)) > max(LONGEST_WAIT, HEARTBEAT_EVERY, BODY_TIMEOUT)


@pytest.mark.parametrize(
    ("file", "pattern"),
    [("nginx.conf", r"keepalive_timeout (\d+)s; # shorter"), ("Caddyfile", r"keepalive (\d+)s")],
)
def test_the_proxy_ends_idle_connections_first(file: str, pattern: str) -> None:
    """Else it could use one that the service is closing. HAProxy keeps them for 5 s."""
    assert max(seconds(file, pattern)) < KEEP_ALIVE


def test_nginx_takes_every_body_that_the_service_takes() -> None:
    """So that clients read the service's own 413."""
    (megabytes,) = seconds("nginx.conf", r"client_max_body_size (\d+)m")
    assert megabytes * 1_000_000 > max(BODY_BYTES, FRAME_BYTES)
