"""DATABASE_URL from outside: what libpq accepts, against a server that wants TLS and a password."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from tests.database.pooler import PgBouncer, needs_pgbouncer
from tracker.database import Database
from tracker.database.connection.opening import connect
from tracker.errors import ConfigError

pytestmark = needs_pgbouncer

PASSWORD = "p@ss/w%rd #1 ä"
AUTHORITY = trustme.CA()


@pytest.fixture
async def guarded(postgres: str) -> AsyncIterator[PgBouncer]:
    """PgBouncer plays that server."""
    issued = AUTHORITY.issue_cert("127.0.0.1")
    async with PgBouncer.open(
        postgres,
        files={
            "users": f'"tracker" "{PASSWORD}"\n'.encode(),
            "cert.pem": issued.cert_chain_pems[0].bytes(),
            "key.pem": issued.private_key_pem.bytes(),
        },
        auth_type="scram-sha-256",
        auth_file="{folder}/users",
        client_tls_sslmode="require",
        client_tls_cert_file="{folder}/cert.pem",
        client_tls_key_file="{folder}/key.pem",
    ) as pooler:
        yield pooler


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return path


async def name_of(url: str) -> str:
    """The database that a service with this setting works in."""
    async with Database.open(url) as database:
        return str(await database.pool.fetchval("SELECT current_database()"))


async def test_every_way_to_the_same_database(
    guarded: PgBouncer, database_url: str, root: Path, tmp_path: Path
) -> None:
    """Encoded passwords, TLS, several hosts, password files, services, and libpq's other form."""
    port, name = guarded.port, guarded.database(database_url)
    encoded, quoted = quote(PASSWORD, safe=""), PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    passfile, services = tmp_path / "pgpass", tmp_path / "services"
    passfile.write_text(f"127.0.0.1:{port}:*:tracker:{PASSWORD}\n")
    passfile.chmod(0o600)
    services.write_text(
        f"[shop]\nhost=127.0.0.1\nport={port}\nuser=tracker\ndbname={name}\nsslmode=require\n"
    )
    ways = (
        f"postgresql://tracker:{encoded}@127.0.0.1:{port}/{name}?sslmode=require&channel_binding=require",
        f"postgresql://tracker:{encoded}@127.0.0.1:{port}/{name}?sslmode=verify-full&sslrootcert={root}",
        f"postgresql://tracker:{encoded}@127.0.0.1:{port}/{name}?connect_timeout=10&keepalives_idle=5",
        f"postgresql://tracker:{encoded}@127.0.0.1:1,127.0.0.1:{port}/{name}?target_session_attrs=read-write",
        f"postgresql:///{name}?host=127.0.0.1&port={port}&user=tracker&password={encoded}&sslmode=verify-ca"
        f"&sslrootcert={root}",
        f"postgresql://tracker@127.0.0.1:{port}/{name}?passfile={passfile}",
        f"postgresql://?service=shop&servicefile={services}&password={encoded}",
        f"host=127.0.0.1 port={port} dbname={name} user=tracker password='{quoted}' sslmode=require",
        f"service=shop servicefile={services} passfile={passfile} application_name=shop",
    )
    for way in ways:
        assert await name_of(way) == name, way


@pytest.mark.parametrize(
    "case",
    [
        ("wrong", "sslmode=require", "correct the user or the password"),
        (PASSWORD, "sslmode=disable", "use sslmode=require"),
        (PASSWORD, "sslmode=verify-full&sslrootcert={other}", "check sslrootcert and the host's name"),
        (PASSWORD, "sslmode=verify-full&sslrootcert=/none", "has sslrootcert=/none, which cannot be read"),
    ],
)
async def test_what_the_server_refuses_is_named_with_the_fix(
    guarded: PgBouncer, database_url: str, tmp_path: Path, case: tuple[str, str, str]
) -> None:
    """At once, in one sentence, and without the password."""
    password, more, says = case
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    name = guarded.database(database_url)
    url = f"postgresql://tracker:{quote(password, safe='')}@127.0.0.1:{guarded.port}/{name}"
    with pytest.raises(ConfigError, match=r"^DATABASE_URL: ") as refused:
        await name_of(f"{url}?{more.format(other=other)}")
    assert says in str(refused.value)
    assert PASSWORD not in str(refused.value)


async def test_keepalive_is_on_under_tls(guarded: PgBouncer, database_url: str) -> None:
    """The option is the socket's, below TLS."""
    name, encoded = guarded.database(database_url), quote(PASSWORD, safe="")
    url = f"postgresql://tracker:{encoded}@127.0.0.1:{guarded.port}/{name}?sslmode=require"
    async with connect(url) as session:
        assert session._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
