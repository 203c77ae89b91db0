"""The one polarity, and the masks it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radpipe.errors import UserError
from radpipe.masks import hole


def corner(value: int = 255, mode: str = "L") -> Image.Image:
    """Black with a 2 x 3 corner of another grey level, top left."""
    pixels = np.zeros((8, 10), np.uint8)
    pixels[:2, :3] = value
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P"])
def test_white_is_the_hole_in_every_kind_of_picture(tmp_path: Path, mode: str) -> None:
    corner(mode=mode).save(tmp_path / "m.png")
    found = hole.read(tmp_path / "m.png", (8, 10))
    assert found.dtype == np.bool_
    assert found[:2, :3].all()
    assert found.sum() == 6


def test_grey_is_refused_with_its_place(tmp_path: Path) -> None:
    corner(254).save(tmp_path / "grey.png")
    with pytest.raises(UserError, match=r"6 pixels .* row 0, column 0(.|\n)*grey\.png"):
        hole.read(tmp_path / "grey.png")


def test_colour_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "m.png")
    with pytest.raises(UserError, match="neither black nor white"):
        hole.read(tmp_path / "m.png")


def test_transparency_is_refused(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 255, 255, 100)).save(tmp_path / "m.png")
    with pytest.raises(UserError, match="transparent"):
        hole.read(tmp_path / "m.png")


def test_another_size_is_refused(tmp_path: Path) -> None:
    corner().save(tmp_path / "m.png")
    with pytest.raises(UserError, match="mask is 10x8 pixels, the image is 8x10"):
        hole.read(tmp_path / "m.png", (10, 8))


def test_a_mask_without_a_hole_is_refused(tmp_path: Path) -> None:
    corner(0).save(tmp_path / "m.png")
    with pytest.raises(UserError, match="white marks the hole"):
        hole.read(tmp_path / "m.png")


def test_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such mask"):
        hole.read(tmp_path / "none.png")
    (tmp_path / "m.png").write_text("no picture")
    with pytest.raises(UserError, match="not a readable picture"):
        hole.read(tmp_path / "m.png")
    corner().save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:45])
    with pytest.raises(UserError, match="not a readable picture"):
        hole.read(tmp_path / "cut.png")
