"""The one polarity, however the mask was made, and the masks that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radpipe import pictures
from radpipe.errors import UserError
from radpipe.masks import hole

CORNER = np.zeros((8, 10), bool)
CORNER[:2, :3] = True
NOISE = np.random.default_rng(0).integers(0, 256, (8, 10, 3), np.uint8)


def grey(level: int = 255, mode: str = "L") -> Image.Image:
    """Black with a 2 x 3 corner of another grey level, top left."""
    return Image.fromarray(np.where(CORNER, level, 0).astype(np.uint8)).convert(mode)


def layered(rgb: object, alpha: np.ndarray) -> Image.Image:
    """Colours (one, or one for each pixel) with an alpha channel."""
    colours = np.broadcast_to(np.asarray(rgb, np.uint8), (8, 10, 3))
    return Image.fromarray(np.dstack([colours, alpha.astype(np.uint8)]))


def corner(inside: int, outside: int) -> np.ndarray:
    return np.where(CORNER, inside, outside)


WHITE_ON_BLACK = np.where(CORNER[..., None], 255, 0)
# all of them mark the corner
MASKS = {
    "grey": grey(),
    "1 bit": grey(mode="1"),
    "rgb": grey(mode="RGB"),
    "palette": grey(mode="P"),
    "opaque rgba": grey(mode="RGBA"),
    "evenly translucent": layered(WHITE_ON_BLACK, np.full((8, 10), 100)),
    "16 bits": Image.fromarray(corner(65535, 0).astype(np.uint16)),
    "16 bits, dark grey outside": Image.fromarray(corner(65535, 300).astype(np.uint16)),
    "off-white": grey(254),
    "yellow on black": Image.fromarray(
        np.where(CORNER[..., None], (255, 204, 0), 0).astype(np.uint8)
    ),
    "white paint on nothing": layered(255, corner(255, 0)),
    "white paint, black below": layered(WHITE_ON_BLACK, corner(255, 0)),
    "translucent yellow paint": layered((255, 204, 0), corner(187, 0)),
    "red paint on nothing": layered((220, 10, 10), corner(255, 0)),
    "picture with the hole erased": layered(NOISE, corner(0, 255)),
    "picture half erased": layered(NOISE, corner(60, 255)),
    "black with the hole erased": layered(0, corner(0, 255)),
    "grey alpha, erased": layered(NOISE[..., :1], corner(0, 255)).convert("LA"),
}


@pytest.mark.parametrize("kind", MASKS)
def test_kinds_of_masks(tmp_path: Path, kind: str) -> None:
    MASKS[kind].save(tmp_path / "m.png")
    found = hole.read(tmp_path / "m.png", (8, 10))
    np.testing.assert_array_equal(found.mask, CORNER)
    inverted = hole.read(tmp_path / "m.png", (8, 10), invert=True)
    np.testing.assert_array_equal(inverted.mask, ~CORNER)
    if "on nothing" in kind or "paint" in kind:
        assert any("paint is the hole" in note for note in found.notes)
    if "erased" in kind:
        assert any("transparent is the hole" in note for note in found.notes)


def test_grey_is_decided_by_the_threshold_and_counted() -> None:
    levels = np.array([[0, 100, 127, 128, 200, 255]], np.uint8)
    mask = pictures.from_image(Image.fromarray(levels))
    found = hole.find(mask)
    np.testing.assert_array_equal(found.mask[0], [0, 0, 0, 1, 1, 1])
    assert found.notes == ("4 grey pixels of the mask (66.7%) decided at level 128",)
    np.testing.assert_array_equal(hole.find(mask, threshold=100).mask[0], [0, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(
        hole.find(mask, threshold=201, invert=True).mask[0], [1, 1, 1, 1, 1, 0]
    )
    assert hole.find(pictures.from_image(grey())).notes == ()


def test_a_jpeg_mask(tmp_path: Path) -> None:
    grey().resize((70, 56), Image.Resampling.NEAREST).save(tmp_path / "m.jpg", quality=80)
    found = hole.read(tmp_path / "m.jpg")
    np.testing.assert_array_equal(found.mask, CORNER.repeat(7, 0).repeat(7, 1))
    assert "grey pixels" in found.notes[-1]


def test_white_black_and_transparent_at_once_is_refused() -> None:
    alpha = np.full((8, 10), 255)
    alpha[5:] = 0
    with pytest.raises(UserError, match="unclear"):
        hole.find(pictures.from_image(layered(WHITE_ON_BLACK, alpha)))


def test_another_size_is_refused_or_resized(tmp_path: Path) -> None:
    grey().save(tmp_path / "m.png")
    with pytest.raises(UserError, match=r"mask is 10x8 pixels, the image is 20x16(.|\n)*resize"):
        hole.read(tmp_path / "m.png", (16, 20))
    found = hole.read(tmp_path / "m.png", (16, 20), resize=True)
    np.testing.assert_array_equal(found.mask, CORNER.repeat(2, 0).repeat(2, 1))
    assert "mask resized from 10x8" in found.notes


@pytest.mark.parametrize("level", [0, 1, 127])
def test_a_mask_without_a_hole_is_refused(tmp_path: Path, level: int) -> None:
    """Levels 0 and 1 are how a Boolean array is often saved by mistake."""
    grey(level).save(tmp_path / "m.png")
    with pytest.raises(UserError, match=rf"levels are 0 to {level} of 255(.|\n)*--invert"):
        hole.read(tmp_path / "m.png")
    Image.fromarray(corner(300, 0).astype(np.uint16)).save(tmp_path / "16.png")
    with pytest.raises(UserError, match="0 to 1 of 255"):
        hole.read(tmp_path / "16.png")


def test_no_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such mask"):
        hole.read(tmp_path / "none.png")
    (tmp_path / "m.png").write_text("no picture")
    with pytest.raises(UserError, match="mask is malformed"):
        hole.read(tmp_path / "m.png")
