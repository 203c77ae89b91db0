"""Metrics of 8-bit pixels, against values computed in another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from radpipe.evaluation.metrics.psnr import psnr_hole, psnr_known
from radpipe.evaluation.metrics.seam import gradient_jump, seam
from radpipe.evaluation.metrics.ssim import ssim_hole

ALL = np.ones((1, 24, 24), bool)
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # Wang et al. 2004


def flat(level: int) -> np.ndarray:
    return np.full((1, 24, 24, 3), level, np.uint8)


def noise(low: int, high: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high + 1, (1, 24, 24, 3)).astype(np.uint8)


def test_each_psnr_sees_its_own_region(images, holes):
    truths = images // 2 + 20
    inside, outside = truths.copy(), truths.copy()
    inside[holes] += 10
    outside[~holes] += 10
    # an error of 10 levels everywhere in the region
    expected = 20 * math.log10(255 / 10)
    assert psnr_known(inside, truths, holes).tolist() == [math.inf] * 12
    assert psnr_hole(inside, truths, holes) == pytest.approx(expected, rel=1e-12)
    assert psnr_known(outside, truths, holes) == pytest.approx(expected, rel=1e-12)
    assert psnr_hole(outside, truths, holes) == pytest.approx(58.92, abs=0.01)


@pytest.mark.parametrize(("output", "truth"), [(0, 1), (125, 126), (255, 254), (0, 255)])
def test_psnr_of_flat_images(output, truth):
    """Levels of 0..255: one level off is 48.13 dB wherever it is, all of them off is 0 dB."""
    expected = 20 * math.log10(255 / abs(output - truth))
    found = psnr_hole(flat(output), flat(truth), ALL)
    assert found == pytest.approx(expected, abs=1e-12)
    assert psnr_known(flat(output), flat(truth), ~ALL) == pytest.approx(expected, abs=1e-12)


def test_one_changed_known_pixel_is_seen(images, holes):
    changed = images.copy()
    changed[3, 0, 0, 1] ^= 1
    scores = psnr_known(changed, images, holes)
    assert np.isfinite(scores).tolist() == [i == 3 for i in range(12)]


@pytest.mark.filterwarnings("error")
def test_nothing_to_measure_is_nan(images):
    everything, nothing = np.ones((12, 32, 32), bool), np.zeros((12, 32, 32), bool)
    assert np.isnan(psnr_known(images, images, everything)).all()
    for metric in (psnr_hole, ssim_hole, seam):
        assert np.isnan(metric(images, images, nothing)).all()


@pytest.mark.parametrize(
    ("output", "truth"),
    [(125, 130), (130, 125), (0, 0), (0, 5), (3, 4), (255, 250), (0, 255), (128, 127)],
)
def test_ssim_of_flat_images_is_its_luminance_term(output, truth):
    """No variance: SSIM = (2 ab + C1) / (a^2 + b^2 + C1). 125 and 130: 0.9992."""
    expected = (2 * output * truth + C1) / (output**2 + truth**2 + C1)
    found = ssim_hole(flat(output), flat(truth), ALL)
    assert found == pytest.approx(expected, abs=1e-9)
    if (output, truth) == (125, 130):
        assert found == pytest.approx(0.9992, abs=1e-4)


PATCHES = {
    "dark": (noise(0, 9), noise(0, 9, 1)),
    "bright": (noise(246, 255), noise(246, 255, 1)),
    "near-equal": (noise(5, 250), noise(5, 250) + noise(0, 1, 1)),
    "random": (noise(0, 255), noise(0, 255, 1)),
    "flat against random": (flat(128), noise(0, 255)),
}


@pytest.mark.parametrize("name", PATCHES)
def test_ssim_is_scikit_images_on_8_bit_levels(name):
    output, truth = PATCHES[name]
    _, similarity = structural_similarity(
        output[0], truth[0], data_range=255, channel_axis=-1, full=True,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    hole = np.zeros((1, 24, 24), bool)
    hole[0, 4:15, 7:20] = True
    found = ssim_hole(output, truth, hole)
    assert found == pytest.approx(similarity[hole[0]].mean(), abs=1e-12)


@pytest.mark.parametrize("name", PATCHES)
def test_ssim_of_one_pixel_by_its_formula(name):
    """Wang et al. 2004, eq. 13, from the 11 x 11 Gaussian window around the pixel."""
    output, truth = (x[0].astype(float) for x in PATCHES[name])
    weight = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(weight, weight)[..., None] / weight.sum() ** 2
    a, b = (x[7:18, 4:15] for x in (output, truth))
    mean_a, mean_b = (window * a).sum((0, 1)), (window * b).sum((0, 1))
    var_a, var_b = (window * a**2).sum((0, 1)) - mean_a**2, (window * b**2).sum((0, 1)) - mean_b**2
    cov = (window * a * b).sum((0, 1)) - mean_a * mean_b
    similarity = (2 * mean_a * mean_b + C1) * (2 * cov + C2)
    similarity /= (mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2)
    hole = np.zeros((1, 24, 24), bool)
    hole[0, 12, 9] = True
    assert ssim_hole(*PATCHES[name], hole) == pytest.approx(similarity.mean(), abs=1e-9)


def test_ssim_sees_the_hole_and_its_surroundings_only(images, holes):
    far, near = images.copy(), images.copy()
    far[:, :, -6:] ^= 255  # more than half a window from the hole's last column
    near[holes] ^= 255
    assert ssim_hole(far, images, holes) == pytest.approx(1)
    assert (ssim_hole(near, images, holes) < 0.6).all()


@pytest.mark.parametrize("height", [1, 9])
def test_a_ramp_has_no_seam_and_a_step_its_height(holes, height):
    ramp = np.broadcast_to(np.arange(32)[:, None, None] * 3, (12, 32, 32, 3)).astype(np.uint8)
    assert not gradient_jump(ramp, holes).any()
    stepped = ramp.copy()
    stepped[holes] += height
    assert gradient_jump(stepped, holes) == pytest.approx(height)
    assert seam(stepped, ramp, holes) == pytest.approx(height)


def test_a_seam_is_symmetric(images, holes):
    outputs = images.copy()
    outputs[holes] = outputs[holes] // 2
    plain = seam(outputs, images, holes)
    turned = [np.rot90(x, axes=(1, 2)) for x in (outputs, images, holes)]
    np.testing.assert_allclose(seam(*turned), plain)
    np.testing.assert_allclose(seam(outputs, images, ~holes), plain)
