"""The end of a certificate's validity. Python's ssl module tells it only of a peer's certificate."""

import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

SEQUENCE: Final = 0x30
VERSION: Final = 0xA0  # explicit tag [0]; version 1 certificates have none
UTC_TIME: Final = 0x17  # two digits of the year; 50 and above mean 19xx (RFC 5280, 4.1.2.5.1)


def expires_at(pem_file: Path) -> datetime:
    """Return when the first certificate of a PEM file expires. Raises OSError, ValueError."""
    text = pem_file.read_text("ascii", "replace")
    _, begin, rest = text.partition("-----BEGIN CERTIFICATE-----")
    body, end, _ = rest.partition("-----END CERTIFICATE-----")
    return _not_after(ssl.PEM_cert_to_DER_cert(f"{begin}{body}{end}"))


def _not_after(der: bytes) -> datetime:
    """Read tbsCertificate (RFC 5280, 4.1): version, serial number, algorithm, issuer, validity."""
    _, certificate, _ = _element(der)
    _, fields, _ = _element(certificate)
    if fields[0] == VERSION:
        _, _, fields = _element(fields)
    for _ in range(3):
        _, _, fields = _element(fields)
    tag, validity, _ = _element(fields)
    if tag != SEQUENCE:
        raise ValueError("not a certificate")
    _, _, rest = _element(validity)
    kind, text, _ = _element(rest)
    digits = text.decode("ascii").rstrip("Z")
    if kind == UTC_TIME:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Return the tag and the content of the first DER element, and what follows it. Raises ValueError."""
    if len(der) < 2:
        raise ValueError("not a certificate")
    size, begin = der[1], 2
    if size >= 0x80:
        begin += size & 0x7F
        size = int.from_bytes(der[2:begin])
    return der[0], der[begin : begin + size], der[begin + size :]


def expiry_or_zero(certificate: Path) -> float:
    """Return when the certificate in the file expires, in seconds since 1970; 0 if it cannot be read."""
    with suppress(OSError, ValueError):
        return expires_at(certificate).timestamp()
    return 0.0
