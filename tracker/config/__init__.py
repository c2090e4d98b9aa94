"""Config: all settings, read once. A wrong or unknown setting stops the start."""

from tracker.config.checks import OWN_PATHS, cannot_listen
from tracker.config.config import Config, Networks, host_and_port
from tracker.config.settings import SETTINGS, Setting
from tracker.config.sources import MASK, Value, read_values

__all__ = [
    "MASK",
    "OWN_PATHS",
    "SETTINGS",
    "Config",
    "Networks",
    "Setting",
    "Value",
    "cannot_listen",
    "host_and_port",
    "read_values",
]
