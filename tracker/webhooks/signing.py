"""Signatures of webhooks (Standard Webhooks 1.0.0): HMAC-SHA256 over the id, the time and the body."""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime


def signature_headers(event_id: str, at: datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """Return the headers of a delivery; each key adds a signature, the newest first."""
    seconds = str(int(at.timestamp()))
    signed = f"{event_id}.{seconds}.".encode() + body
    signatures = [b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
