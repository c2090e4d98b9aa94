"""deploy/Caddyfile: host name and upstream come from the environment."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CADDY = shutil.which("caddy")
FILE = Path(__file__).parents[2] / "deploy" / "Caddyfile"
needs_caddy = pytest.mark.skipif(CADDY is None, reason="needs Caddy; `apt-get install caddy`")


def adapted(**variables: str) -> Any:
    """Return the configuration that Caddy makes of the file."""
    environment = {"PATH": os.environ["PATH"], **variables}
    command = [str(CADDY), "adapt", "--config", str(FILE)]
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
