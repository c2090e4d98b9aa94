"""Images that clients send: what is refused before it costs anything, and what is left of the others."""

import struct
import zlib
from io import BytesIO
from random import Random
from typing import Any

import pytest
from PIL import Image

from tracker.errors import InvalidFields
from tracker.images import LARGEST_KEPT, LONGEST_SIDE, MOST_PIXELS, encode_again

ORIENTATION, GPS = 0x0112, 0x8825


def saved(image: Image.Image, kind: str, **more: Any) -> bytes:
    target = BytesIO()
    image.save(target, kind, **more)
    return target.getvalue()


def kept(data: bytes) -> Image.Image:
    """What is stored of it."""
    encoded = encode_again(data, "file")
    assert len(encoded) <= LARGEST_KEPT
    image = Image.open(BytesIO(encoded))
    image.load()
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims this size and holds next to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1_000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("kind", "modes"),
    [
        ("JPEG", ("RGB", "L", "1", "CMYK")),
        ("PNG", ("RGB", "L", "P", "RGBA", "LA", "1", "I;16")),
        ("WEBP", ("RGB", "RGBA")),
    ],
)
def test_every_kind_of_pixel_becomes_a_photo(kind: str, modes: tuple[str, ...]) -> None:
    """All that the format knows."""
    for mode in modes:
        assert kept(saved(Image.new(mode, (40, 30)), kind)).size == (40, 30), mode


def test_what_is_transparent_becomes_white() -> None:
    """A signature is lines on nothing."""
    image = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (10, 10, 20, 20))
    result = kept(saved(image, "PNG"))
    assert result.getpixel((35, 25)) == (255, 255, 255)
    assert sum(result.getpixel((15, 15))) < 30  # type: ignore[arg-type]


def test_no_metadata_is_left() -> None:
    """Neither place nor device, comment, colour profile nor what stands behind the image."""
    exif = Image.Exif()
    exif[0x0110] = "canary-device"
    exif.get_ifd(GPS)[1] = "canary-place"
    data = saved(
        Image.new("RGB", (40, 30)), "JPEG", exif=exif, comment=b"canary-comment", icc_profile=b"canary" * 20
    )
    assert b"canary" in data
    encoded = encode_again(data + b"canary-behind", "file")
    assert b"canary" not in encoded
    assert b"Exif" not in encoded


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_it_is_upright(kind: str) -> None:
    """As the camera was held: turned by the pixels, and not by a note that viewers may ignore."""
    image = Image.new("RGB", (40, 20), "white")
    image.paste((255, 0, 0), (0, 0, 10, 20))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    result = kept(saved(image, kind, exif=exif))
    assert result.size == (20, 40)
    red, green, _ = result.getpixel((10, 4))  # type: ignore[misc]
    assert (red > 200, green < 80) == (True, True)


def test_a_large_photo_is_made_smaller() -> None:
    """A phone's 24 megapixels; the shape stays. Noise is the worst that a camera can send."""
    assert kept(saved(Image.new("RGB", (5_712, 4_284)), "JPEG")).size == (LONGEST_SIDE, 1_536)
    noise = Image.frombytes("RGB", (2_100, 2_100), Random(1).randbytes(2_100 * 2_100 * 3))
    assert kept(saved(noise, "PNG")).size == (LONGEST_SIDE, LONGEST_SIDE)


def test_a_photo_with_a_second_one_behind_it_is_a_photo() -> None:
    """Some phones add a depth map or a preview (MPO)."""
    image = Image.new("RGB", (40, 30))
    data = saved(image, "MPO", save_all=True, append_images=[image])
    assert kept(data).size == (40, 30)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'aa'>]><svg/>",
        b"%PDF-1.7\n",
        saved(Image.new("RGB", (40, 30)), "GIF"),
        saved(Image.new("RGB", (40, 30)), "TIFF"),
        saved(Image.new("RGB", (40, 30)), "BMP"),
        saved(Image.new("RGB", (40, 30)), "EPS"),
    ],
    ids=["empty", "text", "svg", "entities", "pdf", "gif", "tiff", "bmp", "eps"],
)
def test_only_three_formats_are_images(data: bytes) -> None:
    """Whatever else Pillow could read is not even tried."""
    with pytest.raises(InvalidFields, match="JPEG, PNG or WebP"):
        encode_again(data, "file")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_image_is_refused(kind: str) -> None:
    """Cut off anywhere, or with bytes that changed on the way: an error of the sender, or an image."""
    noise = Image.frombytes("RGB", (200, 200), Random(2).randbytes(200 * 200 * 3))
    data, random = saved(noise, kind), Random(3)
    with pytest.raises(InvalidFields):
        encode_again(data[: len(data) // 2], "file")
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(random.randint(1, 20)):
            damaged[random.randrange(len(data))] = random.randrange(256)
        try:
            kept(bytes(damaged[: random.randint(1, len(data))]))
        except InvalidFields as refused:
            assert [error.field for error in refused.errors] == ["file"]


@pytest.mark.parametrize(
    "size", [(5_001, 5_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1), (MOST_PIXELS + 1, 1)]
)
def test_a_bomb_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    """By the size that it claims."""
    with pytest.raises(InvalidFields):
        encode_again(png_of(*size), "file")


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_refused(kind: str) -> None:
    """It is no photo, and each frame would cost as much as one."""
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    with pytest.raises(InvalidFields, match="still"):
        encode_again(saved(frames[0], kind, save_all=True, append_images=frames[1:]), "file")
