"""A watchdog for the embedded server: it stops the server when every service that used it was killed.

A service that ends in order stops the server itself. After `kill -9` nothing of the service runs, and the
server stays so that the next start can adopt it. The watchdog is a shell that outlives the service. It sees
that no service holds the lock of the users any more, gives a restart a minute, and stops the server.

PR_SET_PDEATHSIG does not fit: it follows the thread that forked, not the process, and several services share
the server. A system without `flock` (util-linux) or `/proc` has no watchdog.
"""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

LOOK_EVERY_S: Final = 5
ADOPTED_WITHIN_S = 60  # for a restarted service

# Looks at the lock of the users under the lock that a service takes to join or to leave, and stops the server
# under both. Ends with the server, whose process is recognised by its folder.
_SCRIPT: Final = """
idle=0
while [ "$(readlink "/proc/$1/cwd")" = "$2" ]; do
    if flock -n "$3" flock -n "$4" true; then idle=$((idle + $5)); else idle=0; fi
    if [ "$idle" -gt "$6" ]; then flock -n "$3" flock -n "$4" kill -INT "$1"; fi
    sleep "$5"
done
"""


def start_watchdog(
    postmaster: int, data: Path, joining: Path, users: Path
) -> "subprocess.Popen[bytes] | None":
    """Start the watchdog of a server; None if this system lacks a program for it."""
    if shutil.which("flock") is None or not Path("/proc/self").exists():
        return None
    every = min(LOOK_EVERY_S, ADOPTED_WITHIN_S)
    arguments = [str(postmaster), str(data), str(joining), str(users), str(every), str(ADOPTED_WITHIN_S)]
    return subprocess.Popen(
        ["sh", "-c", _SCRIPT, "tracker-postgres-watchdog", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def stop_watchdog(watchdog: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(watchdog.pid, signal.SIGTERM)
    watchdog.wait()
