"""`radpipe inpaint`: any file in, the right file out, and nothing lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from inpaint_kinds import KINDS, RGB, image, rgba, written
from radpipe import pictures
from radpipe.cli import app
from radpipe.errors import UserError
from radpipe.inpainting.fill import Filler

ROOT = Path(__file__).parents[2]
HEIGHT, WIDTH = RGB.shape[:2]
HOLE = np.zeros((HEIGHT, WIDTH), bool)
HOLE[5:12, 8:20] = True


@pytest.fixture
def folder(tmp_path: Path, make: Callable[..., Filler]) -> Path:
    """A folder with a picture and its mask; the methods are toys."""
    image(RGB).save(tmp_path / "a.png")
    image(HOLE.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    return tmp_path


def run(*words: object, method: str = "telea") -> str:
    """What the command prints; a UserError comes through."""
    given = ["inpaint", *map(str, words), "--method", method, "--project", str(ROOT)]
    given += ["--dataset", "emoji"]
    result = CliRunner().invoke(app, given)
    if result.exception is not None:
        raise result.exception
    return result.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture(folder: Path, kind: str) -> None:
    """Known pixels and transparency are those that were read, bit for bit."""
    name = folder / f"мой {kind}.x"
    name.write_bytes(written(kind))
    run(name, folder / "mask.png", "-o", folder / "out 写真.png")
    given, found = pictures.read(name), pictures.read(folder / "out 写真.png")
    np.testing.assert_array_equal(found.rgb[~HOLE], given.rgb[~HOLE])
    assert (found.rgb[HOLE] != given.rgb[HOLE]).any() or kind.endswith("1 bit")
    assert (found.alpha is None) == (given.alpha is None)
    if given.alpha is not None:
        np.testing.assert_array_equal(found.alpha, given.alpha)
    assert found.grey == given.grey


FORMATS = {
    "png": "PNG",
    "PNG": "PNG",
    "jpg": "JPEG",
    "jpeg": "JPEG",
    "webp": "WEBP",
    "tif": "TIFF",
    "tiff": "TIFF",
    "bmp": "BMP",
}


@pytest.mark.parametrize("ending", FORMATS)
def test_the_ending_decides_the_format(folder: Path, ending: str) -> None:
    out = folder / f"out.{ending}"
    said = run(folder / "a.png", folder / "mask.png", "-o", out)
    with Image.open(out) as opened:
        assert opened.format == FORMATS[ending]
        if opened.format == "JPEG":
            assert opened.quantization[0][0] == 2  # of quality 95
    if FORMATS[ending] != "JPEG":
        np.testing.assert_array_equal(pictures.read(out).rgb[~HOLE], RGB[~HOLE])
    assert "hole: 14 % of the picture" in said
    assert "a.png 30x20" in said
    rgba().save(folder / "clear.png")
    said = run(folder / "clear.png", folder / "mask.png", "-o", out)
    assert ("transparency" in said) == (FORMATS[ending] in ("JPEG", "BMP"))
    assert (pictures.read(out).alpha is None) == (FORMATS[ending] in ("JPEG", "BMP"))


def test_outputs_that_are_refused(folder: Path) -> None:
    picture, mask = folder / "a.png", folder / "mask.png"
    before = picture.read_bytes()
    os.mkfifo(folder / "pipe.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "self.png").symlink_to(picture)
    os.link(mask, folder / "hard.png")
    refused = {
        "/dev/null": "no plain file",
        folder / "pipe.png": "no plain file",
        folder: "output is a folder",
        folder / "loop.png": "round in a circle",
        picture: "replace an input",
        mask: "replace an input",
        folder / "self.png": "replace an input",
        folder / "hard.png": "replace an input",
        folder / "out.gif": "no format belongs to the ending `.gif`",
        folder / "out": "no format belongs",
        folder / "a.png" / "b.png": "cannot be saved",
    }
    for out, message in refused.items():
        with pytest.raises(UserError, match=message):
            run(picture, mask, "-o", out)
    assert not Path("/dev/null").is_file()
    assert picture.read_bytes() == before
    run(picture, mask, "-o", picture, "--overwrite")
    assert picture.read_bytes() != before


def test_a_link_is_followed(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real" / "b.png").write_text("old")
    (folder / "link.png").symlink_to(folder / "real" / "b.png")
    run(folder / "a.png", folder / "mask.png", "-o", folder / "link.png")
    assert (folder / "link.png").is_symlink()
    assert pictures.read(folder / "real" / "b.png").size == (HEIGHT, WIDTH)


def test_masks(folder: Path) -> None:
    image((~HOLE).astype(np.uint8) * 255).save(folder / "inverted.png")
    said = run(folder / "a.png", folder / "inverted.png", "-o", folder / "b.png")
    assert "hole: 86 % of the picture" in said
    run(folder / "a.png", folder / "inverted.png", "-o", folder / "c.png", "--invert")
    run(folder / "a.png", folder / "mask.png", "-o", folder / "d.png")
    assert (folder / "c.png").read_bytes() == (folder / "d.png").read_bytes()
    image(np.where(HOLE, 90, 0).astype(np.uint8)).save(folder / "grey.png")
    said = run(folder / "a.png", folder / "grey.png", "-o", folder / "e.png", "--threshold", 90)
    assert f"{HOLE.sum()} grey pixels" in said
    assert (folder / "e.png").read_bytes() == (folder / "d.png").read_bytes()
    half = image(HOLE.astype(np.uint8) * 255).resize((15, 10), Image.Resampling.NEAREST)
    half.save(folder / "half.png")
    with pytest.raises(UserError, match="mask is 15x10 pixels, the image is 30x20"):
        run(folder / "a.png", folder / "half.png", "-o", folder / "f.png")
    run(folder / "a.png", folder / "half.png", "-o", folder / "f.png", "--resize-mask")


def test_samples_and_animation(folder: Path) -> None:
    said = run(folder / "a.png", folder / "mask.png", "-o", folder / "b.webp",
               "--samples", 3, "--animate", method="rad")  # fmt: skip
    assert "9 evaluations" in said
    names = {path.name for path in folder.iterdir()} - {"a.png", "mask.png"}
    assert names == {"b-0.webp", "b-1.webp", "b-2.webp", "b-sheet.png", "b.gif"}
    with Image.open(folder / "b-sheet.png") as sheet:
        tile = 9 * WIDTH  # the first whole multiple that is 256 pixels long
        assert sheet.size == (2 * tile + 4, 2 * 9 * HEIGHT + 4)
        third = np.asarray(sheet)[9 * HEIGHT + 4 :: 9, tile + 4 :: 9]
        np.testing.assert_array_equal(third, pictures.read(folder / "b-2.webp").rgb)
    with Image.open(folder / "b.gif") as film:
        # the chequer, the states before three steps, the answer (equal frames are joined)
        assert film.n_frames == 1 + 3 + 1
        assert film.info["loop"] == 0
    run(folder / "a.png", folder / "mask.png", "-o", folder / "c.webp", method="rad")
    assert (folder / "c.webp").read_bytes() == (folder / "b-0.webp").read_bytes()


@pytest.fixture
def many(folder: Path) -> Path:
    """Six pictures, of which three can be filled."""
    (folder / "in").mkdir()
    (folder / "masks").mkdir()
    for name in ("one.png", "two.bmp", "three.tif", "damaged.png", "no mask.png", "one.bmp"):
        image(RGB).save(folder / "in" / name)
    (folder / "in" / "damaged.png").write_bytes(b"no picture")
    (folder / "in" / "notes.txt").write_text("no picture, and none asked for")
    for name in ("one.png", "two_mask.png", "three.bmp", "damaged.png"):
        image(HOLE.astype(np.uint8) * 255).save(folder / "masks" / name)
    return folder


def test_folders(many: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (many / "in", many / "masks", "-o", many / "out")
    with pytest.raises(UserError, match="3 of 6 pictures failed"):
        run(*words)
    names = {path.name for path in (many / "out").iterdir()}
    assert names == {"one.png", "two.png", "three.png"}
    run(many / "in" / "two.bmp", many / "masks" / "two_mask.png", "-o", many / "two.png")
    assert (many / "two.png").read_bytes() == (many / "out" / "two.png").read_bytes()


def test_folders_resume(many: Path) -> None:
    for name in ("damaged.png", "no mask.png", "one.bmp"):
        (many / "in" / name).unlink()
    words = (many / "in", many / "masks", "-o", many / "out")
    said = run(*words)
    assert [said.count(f"{name} 30x20") for name in ("one.png", "two.bmp", "three.tif")] == [1] * 3
    (many / "out" / "two.png").unlink()
    (many / "out" / "one.png").write_text("mine")
    said = run(*words)
    assert "two.bmp 30x20" in said
    assert "2 were there already" in said
    assert (many / "out" / "one.png").read_text() == "mine"
    run(*words, "--overwrite")
    assert pictures.read(many / "out" / "one.png").size == (HEIGHT, WIDTH)


def test_folders_with_one_mask_in_batches(many: Path, filler: Filler) -> None:
    """RAD's network is given several pictures at once, and each comes out as if alone."""
    (many / "in" / "damaged.png").unlink()
    (many / "in" / "one.bmp").unlink()
    image(255 - RGB).save(many / "in" / "two.bmp")
    run(many / "in", many / "mask.png", "-o", many / "out", method="rad")
    assert {shape[0] for shape in filler.inpainter.model.wrapped.shapes} == {4}
    run(many / "in" / "two.bmp", many / "mask.png", "-o", many / "two.png", method="rad")
    assert (many / "two.png").read_bytes() == (many / "out" / "two.png").read_bytes()


def test_folders_that_are_refused(many: Path) -> None:
    (many / "empty").mkdir()
    with pytest.raises(UserError, match="holds no pictures"):
        run(many / "empty", many / "masks", "-o", many / "out")
    with pytest.raises(UserError, match="go into a folder, and this is a file"):
        run(many / "in", many / "masks", "-o", many / "a.png")
    with pytest.raises(UserError, match="a folder, not a mask"):
        run(many / "a.png", many / "masks", "-o", many / "out.png")


def test_no_network_fits_a_picture_as_it_is(folder: Path) -> None:
    with pytest.raises(UserError, match="30x20 pixels, the network wants 32x32"):
        run(folder / "a.png", folder / "mask.png", "--crop", "none", method="rad")


def test_what_the_method_refuses_for_one_picture_does_not_stop_the_others(
    many: Path, filler: Filler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One picture of a batch does not fit in memory; the others are done, in smaller batches."""
    whole = filler.fill

    def fill(fillings: Any, *rest: Any) -> None:
        if any((f.picture[0, 0] == 255 - RGB[0, 0]).all() for f in fillings):
            raise UserError("it does not fit in the memory")
        whole(fillings, *rest)

    monkeypatch.setattr(filler, "fill", fill)
    image(255 - RGB).save(many / "in" / "two.bmp")
    with pytest.raises(UserError, match="4 of 6 pictures failed"):
        run(many / "in", many / "masks", "-o", many / "out", method="rad")
    assert {path.name for path in (many / "out").iterdir()} == {"one.png", "three.png"}
