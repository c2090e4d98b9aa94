"""Files of the embedded PostgreSQL, and the operating-system user that it runs as."""

import hashlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from tracker.errors import ConfigError, StorageUnavailable
from tracker.postgres.programs import Programs

PORT: Final = 5432  # only a part of the socket's name
SOCKET_PATH_LIMIT: Final = 103  # bytes; 107 on Linux, less elsewhere
INIT_TIMEOUT: Final = 180.0  # seconds
INIT_POLL: Final = 0.02  # seconds
PROBE_TIMEOUT: Final = 5.0  # seconds
SSL_REQUEST: Final = bytes.fromhex("00000008 04d2162f")  # length and code, as the protocol defines them


class OsUser(msgspec.Struct, frozen=True):
    """The user that the server runs as. PostgreSQL refuses to run as root, so root has three alternatives:

    - a user namespace that maps root to another uid: no file changes its owner, and folders that only root
      may enter (`/root`, temporary ones) stay as they are;
    - if namespaces are forbidden (most containers), the user `nobody`;
    - if `nobody` cannot enter the folders, `nobody` with root's capability to do so.
    """

    prefix: tuple[str, ...] = ()  # of the command line
    uid: int | None = None  # owner of the server's files; without a prefix, the user to switch to
    gid: int | None = None

    @classmethod
    def fitting(cls, *folders: Path) -> "OsUser":
        """Return the first user that can enter all folders. Raises ConfigError if none can."""
        if os.geteuid() != 0:
            return cls()
        nobody = pwd.getpwnam("nobody")
        uid, gid = nobody.pw_uid, nobody.pw_gid
        identity = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
        # initdb looks for programs with access(2), which ignores capabilities without this secure bit
        secure_bits = "--securebits=+no_setuid_fixup"
        capability = (secure_bits, "--inh-caps=+dac_override", "--ambient-caps=+dac_override")
        for user in (
            cls(("unshare", "--user", f"--map-user={uid}", f"--map-group={gid}", "--")),
            cls(uid=uid, gid=gid),
            cls(("setpriv", *identity, *capability, "--"), uid, gid),
        ):
            if user._can_enter(folders):
                return user
        names = " or ".join(map(str, folders))
        why = f"PostgreSQL cannot run as root, and the user nobody cannot enter {names}; "
        fix = "move it to a folder open to all, run as another user, or set DATABASE_URL"
        raise ConfigError("TRACKER_DATA_DIR", why + fix)

    def _can_enter(self, folders: Sequence[Path]) -> bool:
        if self.prefix and shutil.which(self.prefix[0]) is None:
            return False
        with tempfile.TemporaryFile() as output:
            return not self.popen(["ls", *folders] if folders else ["true"], output).wait()

    @property
    def owner(self) -> int:
        """The uid that the server's files must belong to, as the file system sees it."""
        return os.geteuid() if self.uid is None else self.uid

    def popen(self, command: Sequence[str | Path], output: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Start a program in its own session, so that Ctrl-C does not reach it."""
        return subprocess.Popen(
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=None if self.prefix else self.uid,
            group=None if self.prefix else self.gid,
            extra_groups=None if self.prefix or self.uid is None else (),
        )

    def take(self, folder: Path) -> None:
        """Make the user own everything below *folder*, which an earlier run as another user may own."""
        if os.geteuid() != 0 or folder.stat().st_uid == self.owner:
            return
        gid = os.getegid() if self.gid is None else self.gid
        for path in (*folder.rglob("*"), folder):  # the folder last: its owner marks completion
            os.chown(path, self.owner, gid, follow_symlinks=False)


class Postmaster(msgspec.Struct, frozen=True):
    """A running server, as described by its `postmaster.pid`."""

    pid: int
    data: Path
    sockets: Path
    ready: bool

    @classmethod
    def read(cls, data: Path) -> "Postmaster | None":
        """Read `postmaster.pid`; None if it is missing or incomplete."""
        try:
            lines = (data / "postmaster.pid").read_text("utf-8").splitlines()
            return cls(int(lines[0]), data.resolve(), Path(lines[4]), lines[7:8] == ["ready   "])
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def alive(self) -> bool:
        """Return whether the process exists and works in this data folder; process ids are reused."""
        try:
            os.kill(self.pid, 0)
            return not Path("/proc/self").exists() or self._works_here()
        except OSError:
            return False

    def _works_here(self) -> bool:
        process = Path("/proc", str(self.pid))
        try:
            return (process / "cwd").readlink() == self.data
        except PermissionError:  # a process of another user, in a container
            return os.fsencode(self.data) in (process / "cmdline").read_bytes()

    def reachable(self) -> bool:
        """Return whether the server answers an SSLRequest on its socket."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(PROBE_TIMEOUT)
            try:
                probe.connect(str(self.sockets / f".s.PGSQL.{PORT}"))
                probe.sendall(SSL_REQUEST)
                return probe.recv(1) in {b"N", b"S"}
            except OSError:
                return False

    def end(self) -> None:
        """Request a fast shutdown: disconnect the sessions and write everything to disk."""
        self._signal(signal.SIGINT)

    def end_at_once(self) -> None:
        """Request an immediate shutdown; the next start recovers from the WAL."""
        self._signal(signal.SIGQUIT)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


class StartCancelled(StorageUnavailable):
    """The start was cancelled, and its effects are undone."""


def initialise(
    data: Path, os_user: OsUser, programs: Programs, log: Path, cancelled: threading.Event | None = None
) -> None:
    """Create an empty cluster. *data* appears only when it is complete.

    Raises StorageUnavailable, ConfigError, and StartCancelled if the event is set.
    """
    new = data.with_name("postgres.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    os_user.take(new)
    options = ["--username=tracker", "--auth=trust", "--encoding=UTF8", "--no-instructions"]
    command: list[str | Path] = [programs.folder / "initdb", "-D", new, *options, *programs.locale_options]
    with log.open("ab") as output:
        child = os_user.popen(command, output)
    try:
        status = _wait(child, log, cancelled or threading.Event())
    except StorageUnavailable:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if status:
        raise ConfigError("TRACKER_DATA_DIR", f"initdb failed there with status {status}; see {log}")
    new.rename(data)


def _wait(child: "subprocess.Popen[bytes]", log: Path, cancelled: threading.Event) -> int:
    """Return the exit status of initdb. On cancellation or timeout, kill it and its children and raise."""
    deadline = time.monotonic() + INIT_TIMEOUT
    while child.poll() is None:
        late = time.monotonic() > deadline
        if late or cancelled.wait(INIT_POLL):
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if late:
                raise StorageUnavailable(f"Setting up the database took over {INIT_TIMEOUT:.0f} s; see {log}")
            raise StartCancelled("The set-up of the database was cancelled.")
    return child.returncode


def clear_remains(data: Path, sockets: Path) -> None:
    """Remove the pid file and socket of a dead server, whose process id may be reused."""
    name = f".s.PGSQL.{PORT}"
    for path in (data / "postmaster.pid", sockets / name, sockets / f"{name}.lock"):
        path.unlink(missing_ok=True)


def socket_folder(data: Path, os_user: OsUser) -> Path:
    """Return a private folder for the socket, whose path is limited to about 100 bytes.

    It is in the data folder if its path is short enough: processes on one data folder may see different
    temporary folders, as with `PrivateTmp=` of systemd, and a server whose socket is not found is stopped.
    Raises ConfigError if another user owns a folder of that name.
    """
    name = "tracker-" + hashlib.sha256(f"{os_user.owner} {data}".encode()).hexdigest()[:12]
    roots = (data.parent, Path(tempfile.gettempdir()), Path("/tmp"))
    folders = [root / name for root in roots if len(os.fsencode(root / name)) + 14 <= SOCKET_PATH_LIMIT]
    folder = folders[0]
    folder.mkdir(mode=0o700, exist_ok=True)
    os_user.take(folder)
    is_ours = folder.lstat().st_uid == os_user.owner and stat.S_ISDIR(folder.lstat().st_mode)
    if not is_ours:
        raise ConfigError("TRACKER_DATA_DIR", f"{folder} belongs to another user; remove it")
    folder.chmod(0o700)
    return folder
