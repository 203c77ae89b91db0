"""Filling: known pixels stay, answers depend on nothing else; in Python as in the terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import radpipe
from radpipe.errors import UserError
from radpipe.inpainting.fill import Filler, Filling, load

ROOT = Path(__file__).parents[2]
SHAPES = [(32, 32), (31, 57), (5, 5), (3, 200), (200, 300), (64, 64)]


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def two_holes(height: int, width: int) -> np.ndarray:
    hole = np.zeros((height, width), bool)
    hole[: max(1, height // 8), : max(1, width // 8)] = True
    hole[-max(1, height // 8) :, -max(1, width // 8) :] = True
    return hole


@pytest.mark.parametrize("method", ["rad", "lama", "telea"])
@pytest.mark.parametrize("shape", SHAPES)
def test_known_pixels_stay_and_the_hole_does_not(
    make: Callable[..., Filler], method: str, shape: tuple[int, int]
) -> None:
    image, hole = photograph(*shape), two_holes(*shape)
    filled = make(method)(image, hole)
    assert filled.dtype == np.uint8
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    assert (filled[hole] != image[hole]).any()


@pytest.mark.parametrize("crop", ["auto", "whole"])
def test_what_was_in_the_hole_does_not_matter(filler: Filler, crop: str) -> None:
    image, hole = photograph(200, 300), two_holes(200, 300)
    other = np.where(hole[..., None], 255 - image, image)
    np.testing.assert_array_equal(filler(image, hole, crop=crop), filler(other, hole, crop=crop))


def test_a_colour_is_continued(filler: Filler) -> None:
    """The toy network continues the colour around each hole: a sign that each sees its own."""
    image = np.full((200, 300, 3), (200, 60, 20), np.uint8)
    image[100:] = 20, 60, 200
    hole = two_holes(200, 300)
    filled = filler(image, hole)
    assert np.abs(filled[hole].astype(int) - image[hole]).mean() < 12


def test_lama_sees_the_pictures_own_size_and_rad_the_networks(
    make: Callable[..., Filler],
) -> None:
    lama, rad = make("lama"), make("rad")
    for filler in (lama, rad):
        filler(photograph(200, 300), two_holes(200, 300))
    assert lama.inpainter.model.wrapped.shapes == [(1, 3, 200, 300)]
    assert set(rad.inpainter.model.wrapped.shapes) == {(1, 3, 32, 32)}
    assert len(rad.inpainter.model.wrapped.shapes) == 2 * 3  # two holes, three steps


def test_the_others_in_a_batch_do_not_matter(filler: Filler) -> None:
    given = [(photograph(*s, seed=i), two_holes(*s)) for i, s in enumerate(SHAPES)]
    alone = [filler(*pair, seed=7) for pair in given]
    together = [filling for pair in given for filling in filler.start(*pair)]
    filler.fill(together, seed=7)
    for one, filling in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, filling.picture)
        assert not filling.unknown.any()


def test_seeds_and_samples(filler: Filler) -> None:
    image, hole = photograph(64, 64), two_holes(64, 64)
    first, second = filler(image, hole, samples=2)
    np.testing.assert_array_equal(first, filler(image, hole))
    assert (first != second).any()
    assert (first != filler(image, hole, seed=1)).any()


def test_the_way_there_can_be_watched(filler: Filler) -> None:
    image, hole = photograph(64, 64), two_holes(64, 64)
    seen: list[np.ndarray] = []
    (filling,) = filler.start(image, hole)
    filling.watch = lambda make: seen.append(make())
    filler.fill([filling])
    assert len(seen) == 2 * (3 + 1)  # of each hole: before each step, and the answer
    for state in seen:
        np.testing.assert_array_equal(state[~hole], image[~hole])
    np.testing.assert_array_equal(seen[-1], filling.picture)
    np.testing.assert_array_equal(filling.picture, filler(image, hole))


def test_images_of_pil_and_arrays(filler: Filler) -> None:
    image, hole = photograph(64, 64), two_holes(64, 64)
    expected = filler(image, hole)
    mask = Image.fromarray(hole.astype(np.uint8) * 255)
    found = filler(Image.fromarray(image), mask)
    assert isinstance(found, Image.Image)
    np.testing.assert_array_equal(np.asarray(found), expected)
    np.testing.assert_array_equal(filler(image, mask), expected)
    np.testing.assert_array_equal(filler(image, ~hole, invert=True), expected)
    for bad in (np.zeros((4, 4)), np.zeros((2, 3, 4, 5), np.uint8), "photo.png", None):
        with pytest.raises(UserError, match="the image is an array of"):
            filler(bad, mask)
    with pytest.raises(UserError, match="mask is 9x9 pixels"):
        filler(image, np.ones((9, 9), bool))
    with pytest.raises(UserError, match="marks no hole"):
        filler(image, np.zeros((64, 64), bool))


def test_grey_stays_grey_and_alpha_stays(filler: Filler) -> None:
    image, hole = photograph(64, 64), two_holes(64, 64)
    assert filler(image[..., 0], hole).shape == (64, 64)
    alpha = image[..., 1]
    found = filler(np.dstack([image, alpha]), hole)
    np.testing.assert_array_equal(found[..., 3], alpha)
    np.testing.assert_array_equal(found[~hole][:, :3], image[~hole])
    # a picture whose hole was erased is its own mask, and comes out opaque
    erased = np.dstack([image, np.where(hole, 0, 255).astype(np.uint8)])
    found = filler(erased, erased)
    assert (found[..., 3] == 255).all()
    np.testing.assert_array_equal(found[~hole][:, :3], image[~hole])


def test_what_is_transparent_is_white_paper_for_the_network(filler: Filler) -> None:
    image, hole = photograph(64, 64), two_holes(64, 64)
    alpha = np.where(hole, 255, 0).astype(np.uint8)
    white = filler(np.full_like(image, 255), hole)
    found = filler(np.dstack([image, alpha]), hole)
    np.testing.assert_array_equal(found[hole][:, :3], white[hole])


def test_the_package_offers_it(make: Callable[..., Filler]) -> None:
    image, hole = photograph(64, 64), two_holes(64, 64)
    expected = make()(image, hole, 3)
    found = radpipe.inpaint(image, hole, "rad", "emoji", seed=3, project=ROOT)
    np.testing.assert_array_equal(found, expected)
    assert radpipe.load("rad", "emoji", project=ROOT) is make()  # loaded once


def test_importing_the_package_is_cheap() -> None:
    code = "import sys, radpipe; assert 'inpaint' in dir(radpipe); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no radpipe project(.|\n)*--project"):
        load(project=tmp_path)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    with pytest.raises(UserError, match=r"network for `rad` on `emoji` is not there(.|\n)*dvc"):
        load("rad", "emoji", project=tmp_path)
    for dataset in ("base", "lama"):
        receipt = tmp_path / f"results/checkpoints/emoji/{dataset}/receipt.json"
        receipt.parent.mkdir(parents=True)
        receipt.write_text("{}")
    with pytest.raises(UserError, match="--dataset emoji, whose network is here"):
        load("lama", "ffhq", project=tmp_path)
    with pytest.raises(UserError, match="no inpainting method `lamaa`"):
        load("lamaa", project=tmp_path)
    with pytest.raises(UserError, match="no data set `emojis`"):
        load("telea", "emojis", project=tmp_path)
    with pytest.raises(UserError, match=r"unknown setting `steps`(.|\n)*--steps"):
        load("telea", steps=3, project=tmp_path)


def test_large_holes_are_warned_of(filler: Filler) -> None:
    def warned(hole: np.ndarray) -> list[str]:
        (filling,) = filler.start(photograph(*hole.shape), hole)
        assert isinstance(filling, Filling)
        return filling.warnings()

    large = np.zeros((400, 400), bool)
    large[100:300, 100:300] = True
    (warning,) = warned(large)
    assert "400 pixels of the picture were brought to 32" in warning
    assert warned(two_holes(100, 100)) == []
