"""Tokens: API keys, drivers' tokens, tracking links, and ids that cannot be guessed or counted.

Keys and tokens carry 192 random bits and are stored only as SHA-256; with that much entropy a slow hash adds
no protection. A tracking link's token is derived from its id and the service's secret and is not stored. So
a link can be shown again, and a stolen database opens none. The same holds for the secrets of webhooks.
"""

import hashlib
import hmac
import re
import secrets
import string
from base64 import b32decode, b32encode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from typing import Final, NamedTuple
from unicodedata import digit, normalize

import bcrypt

ID_BYTES: Final = 15  # 120 bits; 24 letters of base32 without padding
TOKEN_BYTES: Final = 24  # 192 bits
SIGNATURE_BYTES: Final = 18  # 144 bits
LINK_PREFIX: Final = "lnk_"
SALT_BYTES: Final = 16
MOSQUITTO_SALT_BYTES: Final = 12
MOSQUITTO_ITERATIONS: Final = 101  # as mosquitto_passwd
BCRYPT_COST: Final = 4  # as a power of 2
PAIRING_CODE_LENGTH: Final = 10  # characters of 5 bits each

_UNAMBIGUOUS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: without I, L, O and U
_AS_TYPED: Final = str.maketrans("ILO", "110", " -\t\r\n")

_LETTERS: Final = string.ascii_uppercase + string.ascii_lowercase + string.digits
_BCRYPT_BASE64: Final = bytes.maketrans(f"{_LETTERS}+/".encode(), f"./{_LETTERS}".encode())

_ID: Final = re.compile(r"lnk_[a-z2-7]{24}", re.ASCII)
_LINK_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{44}", re.ASCII)  # 33 bytes: no padding, one encoding only
_TOKEN_AND_MORE: Final = re.compile(r"([A-Za-z0-9_-]{44})[^A-Za-z0-9_-]", re.ASCII)


def new_id(prefix: str) -> str:
    """Return an id such as `ord_…`: lower-case letters and digits with 120 random bits."""
    return f"{prefix}_{b32encode(secrets.token_bytes(ID_BYTES)).decode().lower()}"


def derived_id(prefix: str, text: str) -> str:
    """Return an id in the form of `new_id` that is the same for the same text and does not reveal it."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:ID_BYTES]
    return f"{prefix}_{b32encode(digest).decode().lower()}"


def new_pin() -> str:
    """Return four random digits."""
    return f"{secrets.randbelow(10_000):04}"


def new_driver_token() -> str:
    """Return a token for a driver's device. The API shows it once."""
    return f"tdt_{secrets.token_urlsafe(TOKEN_BYTES)}"


class DriverTokenHashes(NamedTuple):
    """What is stored of a driver's token: its hash here, and those that MQTT brokers compare with."""

    token: bytes  # SHA-256
    mosquitto: str  # PBKDF2-SHA512
    bcrypt: str  # for NATS


def hash_driver_token(token: str, salt: bytes | None = None) -> DriverTokenHashes:
    """Return the hashes of a new token, with 16 bytes of *salt*. Brokers' can be made only while it is known.

    They take the least effort that each broker accepts, about 1 ms together: see the random bits above.
    """
    salt, secret = salt or secrets.token_bytes(SALT_BYTES), token.encode()
    short = salt[:MOSQUITTO_SALT_BYTES]
    digest = hashlib.pbkdf2_hmac("sha512", secret, short, MOSQUITTO_ITERATIONS)
    mosquitto = f"$7${MOSQUITTO_ITERATIONS}${b64encode(short).decode()}${b64encode(digest).decode()}"
    prefix = f"$2b${BCRYPT_COST:02}$".encode()
    encoded = b64encode(salt).rstrip(b"=").translate(_BCRYPT_BASE64)
    return DriverTokenHashes(hash_token(token), mosquitto, bcrypt.hashpw(secret, prefix + encoded).decode())


def new_api_key() -> str:
    """Return an API key for a merchant's program. The API shows it once."""
    return f"tak_{secrets.token_urlsafe(TOKEN_BYTES)}"


def new_session_token() -> str:
    """Return the token of a browser's session, for its cookie."""
    return f"tsn_{secrets.token_urlsafe(TOKEN_BYTES)}"


def new_pairing_code() -> str:
    """Return a code of 50 random bits in two groups, such as `7K3QM-X9RTB`, which a person can type."""
    code = "".join(secrets.choice(_UNAMBIGUOUS) for _ in range(PAIRING_CODE_LENGTH))
    return f"{code[:5]}-{code[5:]}"


def hash_pairing_code(code: str) -> bytes:
    """Return the SHA-256 of a code as people type it.

    Case, spaces and hyphens do not matter, nor the script of digits; O is 0, I and L are 1.
    """
    plain = normalize("NFKC", code).upper().translate(_AS_TYPED)
    return hash_token("".join(str(digit(character, character)) for character in plain))


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a token, as the database stores it. Accepts any text, even lone surrogates."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def token_before_more(text: str) -> str | None:
    """Return the link token at the start of *text* if other characters follow it; else None.

    Mail programs and chats include a full stop or a bracket after a link in it. Letters, digits, `-` and `_`
    may not follow, since they would make another token.
    """
    found = _TOKEN_AND_MORE.match(text)
    return None if found is None else found[1]


class LinkTokens:
    """Tokens of tracking links: the id's 15 bytes and 18 bytes of their HMAC-SHA256, as base64url."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"tracking links, version 1", "sha256")
        self.cursor_key = hmac.digest(secret.encode(), b"cursors of live views, version 1", "sha256")
        self._admin_mark_key = hmac.digest(secret.encode(), b"sessions of the admin key, version 1", "sha256")

    def token(self, link_id: str) -> str:
        """Return the token of a link, always the same. Raises ValueError if *link_id* is malformed."""
        if not _ID.fullmatch(link_id):
            raise ValueError(f"{link_id!r} is not the id of a tracking link")
        raw = b32decode(link_id.removeprefix(LINK_PREFIX).upper())
        return urlsafe_b64encode(raw + self._sign(raw)).decode()

    def link_id(self, token: str) -> str | None:
        """Return the id in a valid token, else None. The signature is compared in constant time."""
        if not _LINK_TOKEN.fullmatch(token):
            return None
        raw = urlsafe_b64decode(token)
        if not hmac.compare_digest(raw[ID_BYTES:], self._sign(raw[:ID_BYTES])):
            return None
        return LINK_PREFIX + b32encode(raw[:ID_BYTES]).decode().lower()

    def admin_mark(self, key: str) -> bytes:
        """Return what only the same TRACKER_ADMIN_KEY gives: sessions of it end when it is replaced.

        A person may have chosen that key, so its plain hash is not stored.
        """
        return hmac.digest(self._admin_mark_key, key.encode("utf-8", "surrogatepass"), "sha256")

    def _sign(self, raw_id: bytes) -> bytes:
        return hmac.digest(self._key, raw_id, "sha256")[:SIGNATURE_BYTES]


class WebhookSecrets:
    """Secrets of webhooks, as Standard Webhooks writes them: `whsec_` and 32 bytes in base64.

    They are derived from the webhook's id and the service's secret, and stored nowhere.
    """

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"webhook secrets, version 1", "sha256")

    def key(self, webhook_id: str, number: int) -> bytes:
        """Return the bytes that sign; each new secret of a webhook has the next number."""
        return hmac.digest(self._key, f"{webhook_id} {number}".encode(), "sha256")

    def text(self, webhook_id: str, number: int) -> str:
        """Return the secret as its merchant gets it."""
        return f"whsec_{b64encode(self.key(webhook_id, number)).decode()}"
