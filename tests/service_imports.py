"""What each start of the service loads: the fork server imports this once."""

import tracker.commands.serve  # noqa: F401
from tracker.api.static_files import web_files

web_files().preload()  # reads and compresses them
