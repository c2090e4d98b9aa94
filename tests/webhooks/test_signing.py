"""Signatures as Standard Webhooks says."""

import base64
from datetime import UTC, datetime

from tracker.tokens import WebhookSecrets
from tracker.webhooks.signing import signature_headers

# The example of the reference libraries.
KEY = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
ID, AT, BODY = (
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    datetime.fromtimestamp(1614265330, UTC),
    b'{"test": 2432232314}',
)
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_reference_example() -> None:
    """The same id, time, body and secret give the same signature as in every library of the standard."""
    assert signature_headers(ID, AT, BODY, [KEY]) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_two_secrets_give_two_signatures() -> None:
    """Separated by a space, the newest first; a receiver accepts any of them."""
    first, second = signature_headers(ID, AT, BODY, [bytes(32), KEY])["webhook-signature"].split(" ")
    assert second == SIGNATURE
    assert first.startswith("v1,")
    assert first != second


def test_secrets_are_derived_and_differ() -> None:
    """By webhook, by number and by installation; the form is that of the standard, with 32 bytes."""
    secrets = WebhookSecrets("a-secret-for-tests-only")
    text = secrets.text("whk_a", 1)
    assert text.startswith("whsec_")
    assert base64.b64decode(text.removeprefix("whsec_")) == secrets.key("whk_a", 1)
    assert len(secrets.key("whk_a", 1)) == 32
    others = {secrets.text("whk_a", 2), secrets.text("whk_b", 1), WebhookSecrets("another").text("whk_a", 1)}
    assert len(others - {text}) == 3
    assert WebhookSecrets("a-secret-for-tests-only").text("whk_a", 1) == text
