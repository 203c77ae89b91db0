"""Every kind of picture file comes out upright, in 8-bit RGB, its transparency apart."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from radpipe import pictures
from radpipe.errors import UserError

ROWS, COLUMNS = np.mgrid[:20, :30]
RGB = np.stack([ROWS * 12, COLUMNS * 8, 200 - ROWS * 5 - COLUMNS], -1).astype(np.uint8)
GREY = (ROWS * 5 + COLUMNS * 5).astype(np.uint8)
ALPHA = np.where(COLUMNS < 10, 0, np.where(COLUMNS < 20, 128, 255)).astype(np.uint8)
AS_GREY = np.repeat(GREY[..., None], 3, -1)
BLACK_WHITE = np.where(GREY > 100, 255, 0).astype(np.uint8)
AS_BW = np.repeat(BLACK_WHITE[..., None], 3, -1)


def image(array: np.ndarray, mode: str | None = None) -> Image.Image:
    made = Image.fromarray(array)
    return made.convert(mode) if mode else made


def rgba() -> Image.Image:
    return image(np.dstack([RGB, ALPHA]))


def two_frames(kind: str) -> Callable[[io.BytesIO], None]:
    def save(file: io.BytesIO) -> None:
        image(RGB).save(file, kind, save_all=True, append_images=[image(255 - RGB)], lossless=True)

    return save


def saved(made: Image.Image, kind: str, **options: object) -> Callable[[io.BytesIO], None]:
    return lambda file: made.save(file, kind, **options)


def palette_with_a_clear_colour() -> Image.Image:
    made = Image.fromarray((COLUMNS // 10).astype(np.uint8), "P")
    made.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    return made


THREE = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)[COLUMNS // 10]
FIRST_CLEAR = np.where(COLUMNS < 10, 0, 255).astype(np.uint8)
SIXTEEN = image(GREY.astype(np.uint16) * 257)

# name: (how it is written, expected RGB, levels it may be off, expected alpha)
KINDS = {
    "png rgb": (saved(image(RGB), "PNG"), RGB, 0, None),
    "png rgb interlaced": (saved(image(RGB), "PNG", interlace=1), RGB, 0, None),
    "png rgba": (saved(rgba(), "PNG"), RGB, 0, ALPHA),
    "png grey": (saved(image(GREY), "PNG"), AS_GREY, 0, None),
    "png grey alpha": (
        saved(Image.merge("LA", (image(GREY), image(ALPHA))), "PNG"), AS_GREY, 0, ALPHA
    ),
    "png 1 bit": (saved(image(BLACK_WHITE, "1"), "PNG"), AS_BW, 0, None),
    "png 16 bits": (saved(SIXTEEN, "PNG"), AS_GREY, 0, None),
    "png grey, one level clear": (
        saved(image(GREY), "PNG", transparency=50), AS_GREY, 0,
        np.where(GREY == 50, 0, 255).astype(np.uint8),
    ),
    "png palette": (saved(palette_with_a_clear_colour(), "PNG"), THREE, 0, None),
    "png palette, one clear": (
        saved(palette_with_a_clear_colour(), "PNG", transparency=0), THREE, 0, FIRST_CLEAR
    ),
    "png palette, alpha each": (
        saved(palette_with_a_clear_colour(), "PNG", transparency=bytes([0, 128, 255])),
        THREE, 0, ALPHA,
    ),
    "apng": (two_frames("PNG"), RGB, 0, None),
    "jpeg": (saved(image(RGB), "JPEG", quality=100, subsampling=0), RGB, 4, None),
    "jpeg progressive": (
        saved(image(RGB), "JPEG", quality=100, subsampling=0, progressive=True), RGB, 4, None
    ),
    "jpeg grey": (saved(image(GREY), "JPEG", quality=100), AS_GREY, 2, None),
    "jpeg cmyk": (saved(image(RGB, "CMYK"), "JPEG", quality=100), RGB, 6, None),
    "webp lossless": (saved(image(RGB), "WEBP", lossless=True), RGB, 0, None),
    "webp lossy": (saved(image(RGB), "WEBP", quality=100), RGB, 24, None),
    "webp alpha": (saved(rgba(), "WEBP", lossless=True, exact=True), RGB, 0, ALPHA),
    "webp animated": (two_frames("WEBP"), RGB, 0, None),
    "tiff rgb": (saved(image(RGB), "TIFF"), RGB, 0, None),
    "tiff lzw": (saved(image(RGB), "TIFF", compression="tiff_lzw"), RGB, 0, None),
    "tiff cmyk": (saved(image(RGB, "CMYK"), "TIFF"), RGB, 0, None),
    "tiff rgba": (saved(rgba(), "TIFF"), RGB, 0, ALPHA),
    "tiff grey": (saved(image(GREY), "TIFF"), AS_GREY, 0, None),
    "tiff 16 bits": (saved(SIXTEEN, "TIFF"), AS_GREY, 0, None),
    "tiff 1 bit": (saved(image(BLACK_WHITE, "1"), "TIFF"), AS_BW, 0, None),
    "tiff pages": (two_frames("TIFF"), RGB, 0, None),
    "bmp": (saved(image(RGB), "BMP"), RGB, 0, None),
    "bmp grey": (saved(image(GREY), "BMP"), AS_GREY, 0, None),
    "bmp 1 bit": (saved(image(BLACK_WHITE, "1"), "BMP"), AS_BW, 0, None),
    "gif": (saved(palette_with_a_clear_colour(), "GIF"), THREE, 0, None),
    "gif clear": (
        saved(palette_with_a_clear_colour(), "GIF", transparency=0), THREE, 0, FIRST_CLEAR
    ),
    "gif animated": (
        lambda file: image(AS_BW).save(
            file, "GIF", save_all=True, append_images=[image(255 - AS_BW)]
        ), AS_BW, 0, None,
    ),
    "ppm": (saved(image(RGB), "PPM"), RGB, 0, None),
    "pgm 16 bits": (saved(image(GREY.astype(np.int32) * 257), "PPM"), AS_GREY, 0, None),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_pictures(kind: str) -> None:
    save, rgb, off, alpha = KINDS[kind]
    file = io.BytesIO()
    save(file)
    found = pictures.decode(file.getvalue(), kind)
    assert found.rgb.dtype == np.uint8
    assert found.rgb.shape == rgb.shape
    assert np.abs(found.rgb.astype(int) - rgb).max() <= off
    assert (found.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(found.alpha, alpha)
    assert found.grey == (kind != "gif animated" and (rgb == rgb[..., :1]).all())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_turns(kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    # where the stored rows and columns are in the picture as it is shown (EXIF 2.3, 4.6.4)
    shown = {1: RGB, 2: RGB[:, ::-1], 3: RGB[::-1, ::-1], 4: RGB[::-1]}
    turned = np.swapaxes(RGB, 0, 1)
    shown |= {5: turned, 6: turned[:, ::-1], 7: turned[::-1, ::-1], 8: turned[::-1]}
    file = io.BytesIO()
    lossless = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {"lossless": True}
    image(RGB).save(file, kind, exif=exif, **lossless)
    found = pictures.decode(file.getvalue(), "")
    assert found.rgb.shape == shown[turn].shape
    assert np.abs(found.rgb.astype(int) - shown[turn]).max() <= (4 if kind == "JPEG" else 0)
    assert ("turned as its EXIF data says" in found.notes) == (turn > 1)


def test_16_bits_are_scaled_not_clipped() -> None:
    levels = np.array([[0, 128, 129, 300, 32896, 65406, 65407, 65535]], np.uint16)
    found = pictures.from_image(image(levels))
    np.testing.assert_array_equal(found.rgb[0, :, 0], [0, 0, 1, 1, 128, 254, 255, 255])


def test_turned_16_bits() -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    SIXTEEN.save(file, "PNG", exif=exif)
    np.testing.assert_array_equal(
        pictures.decode(file.getvalue(), "").rgb[..., 0], np.swapaxes(GREY, 0, 1)[:, ::-1]
    )


def test_what_is_transparent_is_shown_on_white() -> None:
    found = pictures.from_image(rgba())
    np.testing.assert_array_equal(found.opaque[:, :10], 255)
    np.testing.assert_array_equal(found.opaque[:, 20:], RGB[:, 20:])
    half = (RGB[:, 10:20] * (128 / 255) + 255 * (127 / 255)).round()
    assert np.abs(found.opaque[:, 10:20] - half).max() <= 1


def test_the_colour_profile_is_kept_with_its_colours() -> None:
    file = io.BytesIO()
    image(RGB).save(file, "PNG", icc_profile=b"a profile")
    assert pictures.decode(file.getvalue(), "").profile == b"a profile"
    file = io.BytesIO()
    image(RGB, "CMYK").save(file, "TIFF", icc_profile=b"a profile of inks")
    assert pictures.decode(file.getvalue(), "").profile is None


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is large, in a few bytes."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("shape", [(20000, 20000), (12300, 12300), (2**31 - 1, 2**31 - 1)])
def test_bombs_are_refused_before_they_are_decoded(shape: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=r"too many pixels(.|\n)*big\.png"):
        pictures.decode(bomb(*shape), "big.png")


NOISE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def png() -> bytes:
    file = io.BytesIO()
    image(NOISE).save(file, "PNG")
    return file.getvalue()


BAD = {
    "empty": b"",
    "text": b"no picture at all",
    "cut": png()[:300],
    "cut in the header": png()[:20],
    "bit flipped": png()[:100] + bytes([png()[100] ^ 1]) + png()[101:],
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "zip": b"PK\3\4" + b"\0" * 60,
}


@pytest.mark.parametrize("kind", BAD)
def test_damaged_files_are_refused_with_their_name(kind: str) -> None:
    with pytest.raises(UserError, match=r"picture is malformed(.|\n)*x\.png"):
        pictures.decode(BAD[kind], "x.png")


def test_levels_without_a_known_white_are_refused() -> None:
    with pytest.raises(UserError, match="floating-point"):
        pictures.from_image(image(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)))
    with pytest.raises(UserError, match="32-bit levels"):
        pictures.from_image(image(np.full((3, 4), 70000, np.int32)))


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such picture"):
        pictures.read(tmp_path / "none.png")
    with pytest.raises(UserError, match="a folder, not a picture"):
        pictures.read(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match="no plain file"):
        pictures.read(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(UserError, match="no such picture"):
        pictures.read(tmp_path / "gone.png")


def test_names_with_spaces_and_other_scripts(tmp_path: Path) -> None:
    path = tmp_path / "моё фото 写真 (1).png"
    path.write_bytes(png())
    np.testing.assert_array_equal(pictures.read(path).rgb, NOISE)
