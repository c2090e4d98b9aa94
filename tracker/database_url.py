"""DATABASE_URL: parse it as libpq does, and convert it to a URL that asyncpg reads correctly.

asyncpg parses URLs with urllib, which ends a password at `#` and fails on `[`. It sends each unknown
parameter to the server, which then refuses the connection.
"""

import os
import re
from typing import Final
from urllib.parse import quote

import msgspec

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# Parameters of libpq that asyncpg reads from a URL; then parameters of libpq that have no effect here.
_PASSED_ON: Final = {
    *("gsslib", "krbsrvname", "options", "passfile", "service", "sslcert", "sslcrl", "sslkey"),
    *("sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "ssl_max_protocol_version"),
    *("ssl_min_protocol_version", "target_session_attrs"),
}
_WITHOUT_EFFECT: Final = {
    *("channel_binding", "client_encoding", "connect_timeout"),
    *("fallback_application_name", "gssdelegation", "gssencmode", "load_balance_hosts"),
    *("max_protocol_version", "min_protocol_version", "replication", "require_auth", "requirepeer"),
    *("requiressl", "sslcertmode", "sslcompression", "sslcrldir", "sslsni"),
}
_PAIR: Final = re.compile(r"\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?:\s+|$)", re.DOTALL)
_FILES: Final = {"servicefile", "sslcert", "sslcrl", "sslkey", "sslrootcert"}
_OWN: Final = {"host", "hostaddr", "port", "user", "password", "dbname"}
# Parameters of libpq that this service applies itself -> field of Address.
_APPLIED: Final = {"application_name": "name", "servicefile": "service_file"}
# The same for the sockets -> field of Keepalive.
_SOCKETS: Final = {
    "keepalives": "on",
    "keepalives_idle": "idle_s",
    "keepalives_interval": "interval_s",
    "keepalives_count": "count",
    "tcp_user_timeout": "user_timeout_ms",
}


class Keepalive(msgspec.Struct, frozen=True):
    """When the kernel gives up a TCP connection whose peer is silent. 0 leaves a value to the system."""

    on: int = 1
    idle_s: int = 30
    interval_s: int = 10
    count: int = 3
    user_timeout_ms: int = 30_000


class Address(msgspec.Struct, frozen=True):
    """A database as asyncpg needs it."""

    url: str
    keepalive: Keepalive = Keepalive()
    name: str = "tracker"  # as pg_stat_activity shows it
    service_file: str | None = None


def asyncpg_url(url: str) -> str:
    """Return the same connection as a URL with everything in parameters, which asyncpg reads correctly.

    Raises ValueError, as `read` does.
    """
    return read(url).url


def read(url: str) -> Address:
    """Read a URL or libpq's other form, `host=… dbname=…`.

    Raises ValueError, whose text says what is wrong and how to fix it and never holds the password.
    """
    found = _checked(_keywords(url) if _has_keywords(url) else _of_url(url))
    sockets = {field: _whole(name, found.pop(name)) for name, field in _SOCKETS.items() if found.get(name)}
    applied = {field: found.pop(name) for name, field in _APPLIED.items() if found.get(name)}
    if (address := found.pop("hostaddr", "")) != "":
        found["host"] = address
    _check_ports(found)
    kept = (f"{name}={quote(value, safe='')}" for name, value in found.items() if value.strip(","))
    return Address(f"postgresql://?{'&'.join(kept)}".rstrip("?"), Keepalive(**sockets), **applied)


def _has_keywords(url: str) -> bool:
    """Return whether this is `host=… dbname=…`; libpq looks for the scheme of a URL first."""
    return "=" in url and "://" not in url.partition("=")[0]


def _keywords(text: str) -> dict[str, str]:
    """Parse libpq's `name = 'value'` pairs, in which a backslash escapes the next character."""
    found: dict[str, str] = {}
    rest = text.strip()
    while rest:
        pair = _PAIR.match(rest)
        if pair is None:
            where = f"after {list(found)[-1]!r}" if found else "at its start"
            raise ValueError(f"cannot be read {where}; write name='value', with \\' for a ' in the value")
        name, quoted, plain = pair.groups()
        found[name] = re.sub(r"\\(.)", r"\1", plain if quoted is None else quoted, flags=re.DOTALL)
        rest = rest[pair.end() :]
    return found


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError(f"has {name}={text}; it is a whole number")
    return int(text)


def _of_url(url: str) -> dict[str, str]:
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgres", "postgresql"}:
        raise ValueError("must begin with postgresql:// or postgres://")
    credentials, rest = _without_credentials(rest)
    address, question, query = rest.partition("?")
    if "#" in address:
        raise ValueError("has a # after the host; write it as %23")
    hostlist, _, database = address.partition("/")
    found = _hosts(hostlist) | _user(credentials)
    if database:
        found["dbname"] = _decoded(database, "the database's name")
    return found | _parameters(query) if question else found


def _checked(found: dict[str, str]) -> dict[str, str]:
    """Check the names, and drop the parameters without effect."""
    for name in found:
        if name not in _PASSED_ON | _WITHOUT_EFFECT | _OWN | _APPLIED.keys() | _SOCKETS.keys():
            raise ValueError(f"has the parameter {name!r}, which PostgreSQL does not know; remove it")
    if found.get("sslmode", "prefer") not in SSL_MODES:
        raise ValueError(f"has sslmode={found['sslmode']}; it is one of {', '.join(SSL_MODES)}")
    for name in _FILES & found.keys():
        if not os.access(found[name], os.R_OK):
            raise ValueError(
                f"has {name}={found[name]}, which cannot be read; give the path of a readable file"
            )
    return {name: value for name, value in found.items() if name not in _WITHOUT_EFFECT}


def _check_ports(found: dict[str, str]) -> None:
    """Check that there are as many ports as hosts, or one for all of them."""
    hosts, ports = (found.get(name, "").split(",") for name in ("host", "port"))
    for port in ports:
        _port(port)
    if len(ports) not in {1, len(hosts)}:
        raise ValueError(f"has {len(hosts)} hosts and {len(ports)} ports")
    if any(ports) and len(ports) > 1:
        found["port"] = ",".join(port or "5432" for port in ports)
    found["host"] = ",".join(f"[{host}]" if ":" in host and host[0] not in "[/" else host for host in hosts)


def _without_credentials(rest: str) -> tuple[str, str]:
    """Split off the credentials: the text before the first `@`, unless a `/` comes first, as in libpq."""
    credentials, at, behind = rest.partition("@")
    if not at or "/" in credentials:
        if at and ":" in credentials.partition("/")[0] and "@" in rest.partition("?")[0]:
            raise ValueError("has a / in the user's name or password; write it as %2F")
        return "", rest
    if "@" in behind.partition("?")[0]:
        raise ValueError("has an @ in the user's name or password; write it as %40")
    return credentials, behind


def _user(credentials: str) -> dict[str, str]:
    user, colon, password = credentials.partition(":")
    found = {"user": _decoded(user, "the user's name")} if user else {}
    return {**found, "password": _decoded(password, "the password")} if colon else found


def _hosts(hostlist: str) -> dict[str, str]:
    """Convert `a:5432,[::1],%2Fvar%2Frun` to libpq's lists `host` and `port`."""
    if not hostlist:
        return {}
    hosts, ports = [], []
    for entry in hostlist.split(","):
        if entry.startswith("["):
            host, bracket, behind = entry[1:].partition("]")
            if not bracket or (behind and not behind.startswith(":")):
                raise ValueError(f"has the host {entry!r}; write an IPv6 address in [ and ]")
            port = behind[1:]
        else:
            host, _, port = entry.partition(":")
        hosts.append(_decoded(host, "the host"))
        ports.append(_port(port))
    return {"host": ",".join(hosts), "port": ",".join(ports)}


def _port(port: str) -> str:
    if port and not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise ValueError(f"has the port {port!r}; a port is a number from 1 to 65535")
    return port


def _decoded(text: str, what: str) -> str:
    """Percent-decode as libpq does: a lone % is an error, a + stays a +."""
    raw, place = bytearray(), 0
    encoded = text.encode()
    while place < len(encoded):
        if encoded[place] != ord("%"):
            raw.append(encoded[place])
            place += 1
            continue
        try:
            raw.append(int(encoded[place + 1 : place + 3].decode("ascii"), 16))
        except ValueError:
            raw.clear()
        if not raw or not raw[-1] or len(encoded) < place + 3:
            raise ValueError(f"has a % in {what} that encodes nothing; write % as %25")
        place += 3
    return raw.decode("utf-8", "replace")


def _parameters(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, equals, value = pair.partition("=")
        name = _decoded(name, "a parameter's name")
        if not equals or "=" in value:
            raise ValueError(f"has the parameter {name!r} without a value; write {name}=…")
        if name == "ssl" and value == "true":  # as JDBC writes it, which libpq reads too
            name, value = "sslmode", "require"
        found[name] = _decoded(value, f"the parameter {name}")
    return found
