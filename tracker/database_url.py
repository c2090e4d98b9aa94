"""DATABASE_URL: parse it as libpq does, and convert it to a URL that asyncpg reads correctly.

asyncpg parses URLs with urllib, which ends a password at `#` and fails on `[`. It sends each unknown
parameter to the server, which then refuses the connection.
"""

from typing import Final
from urllib.parse import quote

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# Parameters of libpq that asyncpg reads from a URL; then parameters of libpq that have no effect here.
_PASSED_ON: Final = {
    *("gsslib", "krbsrvname", "options", "passfile", "service", "servicefile", "sslcert", "sslcrl", "sslkey"),
    *("sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "ssl_max_protocol_version"),
    *("ssl_min_protocol_version", "target_session_attrs"),
}
_WITHOUT_EFFECT: Final = {
    *("application_name", "channel_binding", "client_encoding", "connect_timeout"),
    *("fallback_application_name", "gssdelegation", "gssencmode", "keepalives", "keepalives_count"),
    *("keepalives_idle", "keepalives_interval", "load_balance_hosts", "max_protocol_version"),
    *("min_protocol_version", "replication", "require_auth", "requirepeer", "requiressl", "sslcertmode"),
    *("sslcompression", "sslcrldir", "sslsni", "tcp_user_timeout"),
}
_OWN: Final = {"host", "hostaddr", "port", "user", "password", "dbname"}


def asyncpg_url(url: str) -> str:
    """Return the same connection as a URL with everything in parameters, which asyncpg reads correctly.

    Raises ValueError, whose text says what is wrong and how to fix it and never holds the password.
    """
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
    if question:
        found |= _parameters(query)
    if (address := found.pop("hostaddr", "")) != "":
        found["host"] = address
    _check_ports(found)
    kept = (f"{name}={quote(value, safe='')}" for name, value in found.items() if value.strip(","))
    return f"postgresql://?{'&'.join(kept)}".rstrip("?")


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
        if name not in _PASSED_ON | _WITHOUT_EFFECT | _OWN:
            raise ValueError(f"has the parameter {name!r}, which PostgreSQL does not know; remove it")
        if name not in _WITHOUT_EFFECT:
            found[name] = _decoded(value, f"the parameter {name}")
    if found.get("sslmode", "prefer") not in SSL_MODES:
        raise ValueError(f"has sslmode={found['sslmode']}; it is one of {', '.join(SSL_MODES)}")
    return found
