"""Mask families: areas and shapes as defined, same seed same mask, any size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from radpipe import masks, plugins
from radpipe.errors import UserError
from radpipe.masks import fits, limit_of, load
from radpipe.masks.perlin import field
from radpipe.seeding import generator


def draw(name: str, size: int, count: int) -> np.ndarray:
    return np.stack([masks.draw(name, generator(0, name, i), size) for i in range(count)])


def test_the_families_are_there() -> None:
    wanted = {"box", "extreme", "wide", "narrow", "perlin", "independent"}
    assert wanted <= set(plugins.names("masks"))
    assert not {"bank", "hole"} & set(plugins.names("masks"))


@pytest.mark.parametrize("name", plugins.names("masks"))
@pytest.mark.parametrize("size", [16, 32, 50])
def test_a_mask_is_a_nonempty_bool_square_and_its_seed_decides(name: str, size: int) -> None:
    masks = draw(name, size, 6)
    assert masks.shape == (6, size, size)
    assert masks.dtype == np.bool_
    assert masks.any((1, 2)).all()
    np.testing.assert_array_equal(masks, draw(name, size, 6))
    assert (masks[0] != masks[1]).any()


def corners(masks: np.ndarray) -> np.ndarray:
    """(top, left) of each mask's first hole pixel; the hole must be a rectangle."""
    return np.array([np.argwhere(mask)[0] for mask in masks])


def test_box_at_256_is_the_papers() -> None:
    masks = draw("box", 256, 1000)
    assert (masks.sum((1, 2)) == 128 * 128).all()
    assert (masks.any(1).sum(1) == 128).all()
    assert (masks.any(2).sum(1) == 128).all()
    where = corners(masks)
    assert where.min() >= 0
    assert where.max() <= 127
    for axis in range(2):
        assert stats.kstest(where[:, axis] / 127, "uniform").pvalue > 0.005


def test_extreme_is_the_complement_of_a_box() -> None:
    known = ~draw("extreme", 32, 20)
    assert (known.sum((1, 2)) == 16 * 16).all()
    assert (known.any(1).sum(1) == 16).all()


@pytest.mark.parametrize("name", ["perlin", "independent"])
def test_areas_are_uniform(name: str) -> None:
    areas = draw(name, 32, 800).mean((1, 2))
    assert stats.kstest(areas, "uniform").pvalue > 0.005


def test_perlin_is_the_package_noise_at_base_zero() -> None:
    from noise import pnoise2

    offset = np.array([3.25, 200.5])
    values = field(8, 5, offset)
    assert values[2, 7] == pnoise2(3.25 + 7 / 5, 200.5 + 2 / 5, octaves=1, base=0)


@pytest.mark.parametrize("size", [16, 32])
def test_perlin_areas_are_uniform_at_one_pixel_cells_too(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from radpipe.masks import perlin

    rng = generator(1, "ties")
    holes = [perlin.largest(perlin.field(size, 1, rng.uniform(0, 256, 2)), rng) for _ in range(200)]
    assert stats.kstest([hole.mean() for hole in holes], "uniform").pvalue > 0.005


def test_perlin_holes_are_regions_and_independent_ones_are_not() -> None:
    def edges(name: str) -> float:
        masks = draw(name, 32, 200)
        return float((masks[:, 1:] != masks[:, :-1]).mean())

    assert edges("perlin") < 0.5 * edges("independent")


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_lama_masks_are_at_most_half(name: str) -> None:
    areas = draw(name, 64, 200).mean((1, 2))
    assert areas.max() <= 0.5
    assert areas.min() > 0


def test_without_the_rule_a_third_of_the_wide_masks_is_larger() -> None:
    """As RAD's authors load them: 35 % exceed half, the mean area is 0.40; 0.26 with the rule."""
    free = [masks.draw("wide", generator(0, i), 64, limit=None).mean() for i in range(400)]
    assert np.mean(np.array(free) > 0.5) == pytest.approx(0.35, abs=0.07)
    assert np.mean(free) == pytest.approx(0.40, abs=0.03)
    held = [masks.draw("wide", generator(0, i), 64).mean() for i in range(400)]
    assert np.mean(held) == pytest.approx(0.26, abs=0.03)


def test_the_limit_changes_no_other_family() -> None:
    limited = [name for name in plugins.names("masks") if limit_of(name, 0.3) == 0.3]
    assert limited == ["narrow", "wide"]
    assert limit_of("perlin", 0.3) is None
    extreme = masks.draw("extreme", generator(0), 32, limit=0.3)
    assert extreme.mean() == 0.75


def test_wide_is_thicker_than_narrow() -> None:
    import cv2

    def thickness(name: str) -> float:
        return float(
            np.median(
                [
                    cv2.distanceTransform(np.pad(m, 1).astype(np.uint8), cv2.DIST_L2, 5).max()
                    for m in draw(name, 256, 40)
                ]
            )
        )

    assert thickness("narrow") < 20 < thickness("wide")


@pytest.mark.parametrize("size", [16, 32, 64, 512])
def test_strokes_keep_their_area_at_every_size(size: int) -> None:
    from radpipe.masks import _strokes, narrow, wide

    for family, tolerance in ((wide, 0.03), (narrow, 0.1)):
        for i in range(10):
            canvas = np.zeros((256, 256), np.uint8)
            family.STROKES.draw(generator(0, i), canvas)
            assert abs(_strokes.resize(canvas, size).mean() - (canvas > 0).mean()) < tolerance


@pytest.mark.parametrize(("name", "fewest", "most"), [("wide", 1, 6), ("narrow", 4, 51)])
def test_as_many_strokes_as_lamas_generator(
    name: str, fewest: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments that start a stroke are counted by the draws of their starting points."""

    class Counting:
        def __init__(self, seed: int) -> None:
            self.rng, self.starts = generator(seed, "strokes"), 0

        def integers(self, low: int, high: int, size: int | None = None) -> object:
            self.starts += size == 2
            return self.rng.integers(low, high, size)

    counts = set()
    for seed in range(1000):
        rng = Counting(seed)
        load(name).STROKES.draw(rng, np.zeros((256, 256), np.uint8))
        counts.add(rng.starts)
    assert counts == set(range(fewest, most + 1))


def test_rectangles_have_sides_of_30_to_150_pixels() -> None:
    from dataclasses import replace

    from radpipe.masks.wide import RECTANGLES

    one, sides = replace(RECTANGLES, most=1), set()
    for i in range(1500):
        canvas = np.zeros((256, 256), np.uint8)
        one.draw(generator(0, i), canvas)
        sides |= {int(canvas.any(axis).sum()) for axis in (0, 1)}
    assert sides == set(range(30, 151))


def test_rectangles_keep_their_margin_and_sides() -> None:
    from radpipe.masks.wide import RECTANGLES

    for i in range(100):
        canvas = np.zeros((256, 256), np.uint8)
        RECTANGLES.draw(generator(0, i), canvas)
        rows, columns = np.nonzero(canvas)
        assert min(rows.min(), columns.min()) >= 10
        assert max(rows.max(), columns.max()) <= 245
        assert canvas.any(1).sum() >= 30


def test_an_unknown_family_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean `perlin`"):
        load("perlim")


def test_a_size_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="at least 16 pixels"):
        fits("wide", 8)
    fits("wide", 16)
