"""Pictures that stand for a courier's camera and the customer's finger. Seeded."""

from io import BytesIO
from random import Random
from typing import Final

from PIL import Image, ImageDraw

PHOTO_SIZE: Final = (960, 720)  # pixels
SIGNATURE_SIZE: Final = (600, 200)
DOORS: Final = ("#2f5d50", "#7a2e2e", "#2d4a6b", "#6b5a2d")
WALL, STEP, PARCEL, TAPE, INK = "#d8cfc0", "#8d8578", "#b98a56", "#8c6239", "#1a2a6c"


def photo(seed: str) -> bytes:
    """Return a JPEG of a parcel before a door."""
    random = Random(f"photo {seed}")
    picture = Image.new("RGB", PHOTO_SIZE, WALL)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((330, 90, 630, 600), random.choice(DOORS))
    draw.ellipse((590, 340, 614, 364), "#d9b44a")
    draw.rectangle((0, 600, 960, 720), STEP)
    left = random.randint(180, 560)
    draw.rectangle((left, 470, left + 210, 640), PARCEL)
    draw.rectangle((left + 92, 470, left + 118, 640), TAPE)
    return _encoded(picture, "JPEG")


def signature(seed: str) -> bytes:
    """Return a PNG of a signature."""
    random = Random(f"signature {seed}")
    picture = Image.new("RGB", SIGNATURE_SIZE, "white")
    places = [(40 + 26 * n, random.randint(50, 150)) for n in range(20)]
    ImageDraw.Draw(picture).line(places, INK, width=4, joint="curve")
    return _encoded(picture, "PNG")


def _encoded(picture: Image.Image, kind: str) -> bytes:
    target = BytesIO()
    picture.save(target, kind)
    return target.getvalue()
