"""GPSLogger's OpenGTS format: an NMEA sentence, `$GPRMC`, in one value of the query string."""

from datetime import UTC, datetime
from typing import Final

from tracker.domain.tracks.fix import Fix, Rejection
from tracker.phone_apps.report import Report, of_reading, without_fix
from tracker.phone_apps.values import METRES_PER_S, number, reading, scaled, share

FIELDS: Final = 10  # of the sentence, up to the date


def parse_gprmc(sentence: str, *, battery: object = None) -> Report:
    """Return the fix of a sentence. *battery* is in percent. The checksum is not compared: TCP has one."""
    fields = sentence.split(",")
    if len(fields) < FIELDS or not fields[0].endswith("GPRMC"):
        return of_reading("malformed")
    if fields[2] == "V":  # the receiver has no position
        return without_fix("heartbeat")
    return of_reading(_fix(fields, battery))


def _fix(fields: list[str], battery: object) -> Fix | Rejection:
    _, clock, _, lat, north, lon, east, knots, heading, date = fields[:FIELDS]
    try:
        at = datetime.strptime(f"{date}{clock.partition('.')[0]}", "%d%m%y%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return "malformed"
    return reading(
        at,
        _degrees(lat, negative=north == "S"),
        _degrees(lon, negative=east == "W"),
        speed=scaled(knots, METRES_PER_S["kn"]),
        heading=heading or None,
        battery=share(battery),
    )


def _degrees(text: str, *, negative: bool) -> float | None:
    """Return degrees from the notation DDDMM.mmmm."""
    value = number(text)
    if value is None:
        return None
    whole, minutes = divmod(value, 100.0)
    degrees = whole + minutes / 60.0
    return -degrees if negative else degrees
