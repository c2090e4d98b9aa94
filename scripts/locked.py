"""Run a command while holding the lock on a file: `locked.py FILE COMMAND ARGUMENT…`.

The command and its children inherit the lock; the kernel releases it when the last of them ends.
"""

import fcntl
import os
import sys


def main(path: str, *command: str) -> None:
    """Wait for the lock, then become the command."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another set-up runs in this folder. Waiting until it ends ...", flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)
    os.set_inheritable(file, True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
