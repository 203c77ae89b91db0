from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from radpipe.evaluation.metrics.lpips import large_enough, lpips_network, standard, unscaled
from radpipe.models.backbones import ASSET

HOLES = np.ones((12, 32, 32), bool)


@pytest.fixture
def lpips(setup):
    return standard(setup)


def noisy(images: np.ndarray, size: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, size, images.shape)
    return np.clip(images + noise, 0, 255).round().astype(np.uint8)


def one_level_off(images: np.ndarray) -> np.ndarray:
    return np.where(images > 127, images - 1, images + 1).astype(np.uint8)


# what the networks are given for a level of 0..255: [-1, 1], or [0, 1] as RAD's authors did
RANGES = {standard: lambda x: x / 127.5 - 1, unscaled: lambda x: x / 255}


@pytest.mark.parametrize("build", RANGES, ids=lambda build: build.__name__)
@pytest.mark.parametrize(
    ("change", "error"),
    [(lambda x: noisy(x, 30), 1e-5), (one_level_off, 2e-3)],  # near 0, float32 holds fewer digits
    ids=["far", "near-equal"],
)
def test_the_definition_step_by_step(setup, alexnet_taps, images, build, change, error):
    """Zhang et al. 2018, eq. 1, written out with the archive's layers and the package's heads."""
    outputs = change(images)
    pair = [RANGES[build](torch.from_numpy(x).permute(0, 3, 1, 2).double())
            for x in (outputs, images)]  # fmt: skip
    up = [F.interpolate(x, size=64, mode="bilinear", align_corners=False) for x in pair]
    expected = torch.zeros(len(images), dtype=torch.float64)
    taps = zip(*(alexnet_taps(x) for x in up), strict=True)
    for (a, b), head in zip(taps, lpips_network(setup.assets[ASSET]).lins, strict=True):
        difference = F.normalize(a, dim=1, eps=1e-10) - F.normalize(b, dim=1, eps=1e-10)
        expected += F.conv2d(difference**2, head.model[-1].weight.double()).mean((1, 2, 3))
    found = build(setup)(outputs, images, HOLES)
    np.testing.assert_allclose(found, expected, rtol=error, atol=1e-8)
    assert (found > 0).all()


def test_zero_for_the_truth_and_growing_with_noise(lpips, images):
    means = [lpips(noisy(images, s), images, HOLES).mean() for s in (0, 1, 10, 40, 120)]
    assert means[0] == 0 and means == sorted(set(means))


def test_an_image_does_not_see_its_batch(lpips, images):
    outputs = noisy(images, 40)
    single = [lpips(outputs[i : i + 1], images[i : i + 1], HOLES[:1]) for i in range(12)]
    np.testing.assert_allclose(lpips(outputs, images, HOLES), np.concatenate(single), atol=1e-6)


def test_the_two_ranges_differ(setup, lpips, images):
    outputs = noisy(images, 40)
    other = unscaled(setup)(outputs, images, HOLES)
    assert np.abs(other - lpips(outputs, images, HOLES)).min() > 1e-4


def test_large_images_keep_their_size():
    large = torch.rand(1, 3, 80, 72) * 2 - 1
    assert large_enough(large) is large
    assert large_enough(large[..., :40, :36]).shape == (1, 3, 71, 64)


def test_the_random_state_of_the_caller_is_untouched(setup):
    before = torch.get_rng_state()
    standard(setup)
    assert torch.equal(before, torch.get_rng_state())
