"""Pairing: links that bring a code to a phone, and the files that an app fetches with its code.

No link holds a token. The token goes only to the device that uses the code, as the answer to it.
"""

from typing import Final
from urllib.parse import quote

from msgspec import Struct

from tracker.messages import Uri
from tracker.phone_apps.setup import GpsLogger

PAIRING_TIME_S: Final = 900.0  # until a code expires
CODE_PATH: Final = "/v1/drivers/pair"
OWNTRACKS_FILE: Final = "owntracks.otrc"
GPSLOGGER_FILE: Final = "order-tracker.properties"  # GPSLogger names the profile after the file


class PairingLinks(Struct, frozen=True):
    """Links with one code: the first that is opened uses it up."""

    page: Uri
    """The service's page for drivers, which pairs the phone's browser and sets up every other app."""
    owntracks: Uri
    """Opens OwnTracks, which fetches its settings. For a QR code or a tap."""
    gpslogger: Uri
    """Opens GPSLogger, which fetches its settings. For a tap on the phone; cameras may not open it."""


def pairing_links(base: str, code: str) -> PairingLinks:
    """Return the links of a code. *base*: the service's URL without a trailing slash."""
    files = f"{base}{CODE_PATH}/{code}"
    return PairingLinks(
        page=f"{base}/drive#pair={code}",  # browsers do not send the fragment, so no log has it
        owntracks=f"owntracks:///config?url={quote(f'{files}/{OWNTRACKS_FILE}', safe='')}",
        gpslogger=f"gpslogger://properties/{files}/{GPSLOGGER_FILE}",
    )


def gpslogger_profile(settings: GpsLogger) -> str:
    """Return a profile of GPSLogger: lines of `key=value`, in which a backslash would need another."""
    values = {
        "log_customurl_enabled": "true",
        "log_customurl_url": settings.url,
        "log_customurl_method": settings.method,
        "log_customurl_headers": settings.headers,
        "autocustomurl_enabled": "true",
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())
