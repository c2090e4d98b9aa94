"""The few lines of script in the page's HTML, which fetch the page's script until it arrives."""

from base64 import b64encode
from functools import cache
from hashlib import sha256

from tracker.api.headers import page_policy
from tracker.system.package_files import folder


@cache
def loader() -> str:
    return (folder("web") / "templates" / "loader.js").read_text("utf-8")


@cache
def policy_with_loader(*, framed: bool = False) -> str:
    """Return the policy that allows these lines by their hash. *framed*: other sites may frame the page."""
    digest = b64encode(sha256(loader().encode()).digest()).decode()
    return page_policy(f"sha256-{digest}", framed=framed)
