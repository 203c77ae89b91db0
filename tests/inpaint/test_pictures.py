"""Every kind of picture file comes out upright, in 8-bit RGB, its transparency apart."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from inpaint_kinds import GREY, KINDS, RGB, SIXTEEN, image, rgba, written
from radpipe import pictures
from radpipe.errors import UserError


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_pictures(kind: str) -> None:
    _, rgb, off, alpha = KINDS[kind]
    found = pictures.decode(written(kind), kind)
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
