"""Images that clients send: decoded, turned upright, bounded, and encoded again without any metadata."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from tracker.errors import FieldError, InvalidFields

MEDIA_TYPE: Final = "image/jpeg"  # of what `encode_again` returns
FORMATS: Final = ("JPEG", "PNG", "WEBP")
MANY_IMAGES: Final = "MPO"  # a JPEG with a preview or depth map behind it, as some phones write it
MOST_PIXELS: Final = 25_000_000  # a phone's 24 megapixels; decoded they take 100 MB
LONGEST_SIDE: Final = 2_048  # pixels, of what is kept
LARGEST_KEPT: Final = 2_000_000  # bytes
LOGO_SIDES: Final = (512, 384, 256, 192, 128, 64)  # pixels; the first that fits
QUALITIES: Final = (85, 70, 50, 25)  # of JPEG; the first that fits

Image.MAX_IMAGE_PIXELS = None  # Pillow would only warn; MOST_PIXELS is lower and an error


def encode_again(data: bytes, field: str) -> bytes:
    """Return the image as a JPEG of at most LARGEST_KEPT bytes. Takes up to 200 MB and a second.

    Metadata such as the place, the device and a preview is lost. Transparency becomes white.
    Raises InvalidFields that names *field*.
    """
    with _opened(data, field, FORMATS, "an image: JPEG, PNG or WebP") as image:
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is decoded at a fraction of its size
        plain = _flatten(ImageOps.exif_transpose(image))
    return _encode(plain)


def encode_png_again(data: bytes, field: str, most_bytes: int) -> bytes:
    """Return the PNG without any metadata, made smaller until it has at most *most_bytes*.

    Raises InvalidFields that names *field*.
    """
    with _opened(data, field, ("PNG",), "a PNG") as image:
        colours = image.convert("RGBA" if image.has_transparency_data else "RGB")
        colours.load()
    for side in LOGO_SIDES:
        colours.thumbnail((side, side))
        plain, target = Image.new(colours.mode, colours.size), BytesIO()
        plain.paste(colours)  # what Pillow passes on from image to image stays behind
        plain.save(target, "PNG", optimize=True)
        if len(target.getvalue()) <= most_bytes:
            break
    return target.getvalue()


@contextmanager
def _opened(data: bytes, field: str, formats: tuple[str, ...], kind: str) -> Iterator[Image.Image]:
    """Open an image and check its size. Raises InvalidFields, also for damage that the block finds."""
    try:
        with Image.open(BytesIO(data), formats=formats) as image:
            _check(image, field)
            yield image
    except UnidentifiedImageError:
        raise _refused(field, f"must be {kind}") from None
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, ArithmeticError):
        raise _refused(field, "is a damaged image; take it again") from None


def _check(image: Image.Image, field: str) -> None:
    """Check the size and kind before anything is decoded. Raises InvalidFields."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise _refused(field, f"must have at most {MOST_PIXELS:,} pixels; this image has {width} x {height}")
    if getattr(image, "is_animated", False) and image.format != MANY_IMAGES:
        raise _refused(field, "must be one still image, not an animation")


def _flatten(image: Image.Image) -> Image.Image:
    """Return an RGB image on white, without the metadata that Pillow passes on from image to image."""
    colours = image.convert("RGBA" if image.has_transparency_data else "RGB")
    colours.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    plain = Image.new("RGB", colours.size, "white")
    plain.paste(colours, mask=colours if colours.mode == "RGBA" else None)
    return plain


def _encode(image: Image.Image) -> bytes:
    """Return the image in the best quality that fits."""
    encoded = b""
    for quality in QUALITIES:
        target = BytesIO()
        image.save(target, "JPEG", quality=quality, optimize=True)
        encoded = target.getvalue()
        if len(encoded) <= LARGEST_KEPT:
            break
    return encoded


def _refused(field: str, detail: str) -> InvalidFields:
    return InvalidFields([FieldError(field, detail)])
