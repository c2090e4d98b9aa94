"""The secret that tokens and links are derived from."""

import secrets
from pathlib import Path

from tracker.config.config import Config


def secret_of(config: Config) -> str:
    """Return TRACKER_SECRET, or the secret in the data folder, which the first start creates."""
    if config.secret is not None:
        return config.secret
    path = config.data_dir / "secret"
    if not path.is_file():
        config.data_dir.mkdir(parents=True, exist_ok=True)
        _write_private(path, secrets.token_urlsafe(32))
    return path.read_text().strip()


def _write_private(path: Path, text: str) -> None:
    """Write a file atomically; only its owner may ever read it."""
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(text + "\n")
    draft.replace(path)
