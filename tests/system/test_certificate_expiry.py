"""The end of a certificate's validity, as OpenSSL and the library that made it say."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from tracker.system.certificate_expiry import expires_at


@pytest.mark.parametrize("year", [2031, 2049, 2050, 2077])
def test_the_first_certificates_end_is_read(tmp_path: Path, year: int) -> None:
    """Before 2050 it is a UTCTime, afterwards a GeneralizedTime (RFC 5280)."""
    ends, file = datetime(year, 2, 28, 13, 59, 7, tzinfo=UTC), tmp_path / "chain.pem"
    authority = trustme.CA()
    authority.issue_cert("tracker.example", not_after=ends).cert_chain_pems[0].write_to_path(file)
    authority.cert_pem.write_to_path(file, append=True)
    assert expires_at(file) == ends


@pytest.mark.parametrize("content", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_anything_else_is_a_value_error(tmp_path: Path, content: str) -> None:
    """Not another exception, such as one of an index."""
    (file := tmp_path / "cert.pem").write_text(content)
    with pytest.raises(ValueError):
        expires_at(file)
