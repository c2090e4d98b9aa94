"""DATABASE_URL: read as libpq reads it."""

import pytest

from tracker.database_url import Address, Keepalive, asyncpg_url, read


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        ("postgresql://u:p#w@h/db", "host=h&user=u&password=p%23w&dbname=db"),
        ("postgresql://u:p[w@h", "host=h&user=u&password=p%5Bw"),
        ("postgresql://u:p?w@h/db", "host=h&user=u&password=p%3Fw&dbname=db"),
        ("postgresql://u:p+w%40%2f@h/db", "host=h&user=u&password=p%2Bw%40%2F&dbname=db"),
        ("postgresql://u:@h/db", "host=h&user=u&dbname=db"),
        ("postgres://h/a%20b", "host=h&dbname=a%20b"),
        ("postgresql://h:5433", "host=h&port=5433"),
        ("postgresql://[::1]:5433,[::2]/db", "host=%5B%3A%3A1%5D%2C%5B%3A%3A2%5D&port=5433%2C5432&dbname=db"),
        ("postgresql://a:1,b/db?target_session_attrs=any",
         "host=a%2Cb&port=1%2C5432&dbname=db&target_session_attrs=any"),
        ("postgresql://a,b/db?port=5433", "host=a%2Cb&port=5433&dbname=db"),
        ("postgresql:///db?host=/run/pg&port=5433", "dbname=db&host=%2Frun%2Fpg&port=5433"),
        ("postgresql://%2Frun%2Fpg/db", "host=%2Frun%2Fpg&dbname=db"),
        ("postgresql://name/db?hostaddr=10.0.0.1", "host=10.0.0.1&dbname=db"),
        ("postgresql://h/db?user=u&password=p&dbname=other", "host=h&dbname=other&user=u&password=p"),
        ("postgresql://h/db?sslmode=require&channel_binding=require", "host=h&dbname=db&sslmode=require"),
        ("postgresql://h/db?ssl=true", "host=h&dbname=db&sslmode=require"),
        ("postgresql://h/db?application_name=x&connect_timeout=10&keepalives=1", "host=h&dbname=db"),
        ("postgresql://h/db?options=-csearch_path%3Dx", "host=h&dbname=db&options=-csearch_path%3Dx"),
    ],
)  # fmt: skip
def test_what_libpq_accepts_is_accepted(url: str, parameters: str) -> None:
    """All of it becomes parameters, which asyncpg reads without guessing where a password ends."""
    assert asyncpg_url(url) == f"postgresql://?{parameters}"


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("host=h port=5433 dbname=db sslmode=require", "host=h&port=5433&dbname=db&sslmode=require"),
        ("host=/run/pg  dbname = 'a b'", "host=%2Frun%2Fpg&dbname=a%20b"),
        (r"host=h user=u password='p\'w\\ x'", "host=h&user=u&password=p%27w%5C%20x"),
        (r"host=h password=a\ b", "host=h&password=a%20b"),
        ("dbname=postgresql://x host=h", "dbname=postgresql%3A%2F%2Fx&host=h"),
        ("service=shop passfile=/etc/pgpass", "service=shop&passfile=%2Fetc%2Fpgpass"),
    ],
)
def test_libpqs_other_form_is_accepted(text: str, parameters: str) -> None:
    """`name=value` pairs, with quotes and backslashes as libpq reads them."""
    assert asyncpg_url(text) == f"postgresql://?{parameters}"


def test_what_the_service_applies_itself() -> None:
    """The name of the connections, the keepalive of their sockets, and the file of services."""
    asked = "keepalives=1&keepalives_idle=5&keepalives_interval=6&keepalives_count=7&tcp_user_timeout=8"
    address = read(f"postgresql://h/db?application_name=shop&servicefile=/dev/null&{asked}")
    assert address == Address(
        "postgresql://?host=h&dbname=db", Keepalive(1, 5, 6, 7, 8), name="shop", service_file="/dev/null"
    )
    assert read("postgresql://h/db") == Address(
        "postgresql://?host=h&dbname=db", Keepalive(), "tracker", None
    )


def test_the_empty_url_asks_for_the_defaults() -> None:
    """As `psql` without arguments."""
    assert asyncpg_url("postgresql://") == asyncpg_url("postgresql:///") == "postgresql://"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://h/db", "must begin with postgresql://"),
        ("postgresql://u:p/secret@h", "has a / in the user's name or password; write it as %2F"),
        ("postgresql://u:p@secret@h", "has an @ in the user's name or password; write it as %40"),
        ("postgresql://u:secret%@h/db", "has a % in the password that encodes nothing; write % as %25"),
        ("postgresql://u:secret%zz@h/db", "has a % in the password"),
        ("postgresql://u:secret%00@h/db", "has a % in the password"),
        ("postgresql://u:secret@h:99999/db", "has the port '99999'; a port is a number from 1 to 65535"),
        ("postgresql://u:secret@h:http/db", "has the port 'http'"),
        ("postgresql://u:secret@h/db?port=0", "has the port '0'"),
        ("postgresql://u:secret@[::1/db", "write an IPv6 address in"),
        ("postgresql://u:secret@a,b,c/db?port=1,2", "has 3 hosts and 2 ports"),
        ("postgresql://u:secret@h/db#x", "has a # after the host; write it as %23"),
        ("postgresql://u:secret@h/db?sslmode", "has the parameter 'sslmode' without a value"),
        ("postgresql://u:secret@h/db?sslmode=on", "has sslmode=on; it is one of disable, allow"),
        ("postgresql://u:secret@h/db?schema=public",
         "has the parameter 'schema', which PostgreSQL does not know"),
        ("postgresql://u:secret@h/db?pgbouncer=true", "remove it"),
        ("postgresql://u:secret@h/db?tcp_user_timeout=soon", "has tcp_user_timeout=soon; it is a"),
        ("host=h password='secret", "cannot be read after 'host'; write name='value'"),
        ("password=the secret host=h", "cannot be read after 'password'"),
        ("host=h schema=secret", "has the parameter 'schema'"),
    ],
)  # fmt: skip
def test_what_libpq_refuses_is_refused_with_the_mend(url: str, says: str) -> None:
    """In one sentence, and without the password."""
    with pytest.raises(ValueError) as refused:
        asyncpg_url(url)
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)
