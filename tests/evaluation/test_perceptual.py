from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from radpipe.evaluation.metrics import to_float
from radpipe.evaluation.perceptual import Lpips, LpipsUnscaled


@pytest.fixture
def lpips(setup):
    return Lpips(setup)


def noisy(images: np.ndarray, size: float, seed: int = 0) -> torch.Tensor:
    noise = np.random.default_rng(seed).normal(0, size, images.shape)
    return to_float(np.clip(images + noise, 0, 255).round().astype(np.uint8))


def test_the_definition_step_by_step(lpips, alexnet_taps, images):
    """Zhang et al. 2018, eq. 1, written out with the archive's layers and the package's heads."""
    truths, outputs = to_float(images), noisy(images, 30)
    up = [
        F.interpolate(x, size=64, mode="bilinear", align_corners=False) for x in (outputs, truths)
    ]
    expected = torch.zeros(len(images), dtype=torch.float64)
    pairs = zip(*(alexnet_taps(x) for x in up), strict=True)
    for (a, b), head in zip(pairs, lpips.model.lins, strict=True):
        difference = F.normalize(a, dim=1, eps=1e-10) - F.normalize(b, dim=1, eps=1e-10)
        weight = head.model[-1].weight.double()
        expected += F.conv2d(difference**2, weight).mean((1, 2, 3))
    hole = torch.ones(len(images), 1, 32, 32, dtype=torch.bool)
    torch.testing.assert_close(lpips.score(outputs, truths, hole), expected, atol=1e-6, rtol=1e-5)


def test_zero_for_the_truth_and_growing_with_noise(lpips, images):
    truths = to_float(images)
    hole = torch.ones(len(images), 1, 32, 32, dtype=torch.bool)
    means = [lpips.score(noisy(images, s), truths, hole).mean().item() for s in (0, 10, 40, 120)]
    assert means[0] == 0 and means == sorted(set(means))


def test_an_image_does_not_see_its_batch(lpips, images):
    outputs, truths = noisy(images, 40), to_float(images)
    hole = torch.ones(len(images), 1, 32, 32, dtype=torch.bool)
    whole = lpips.score(outputs, truths, hole)
    single = [lpips.score(outputs[i : i + 1], truths[i : i + 1], hole[:1]) for i in range(12)]
    torch.testing.assert_close(whole, torch.cat(single), atol=1e-6, rtol=0)


def test_the_authors_convention_is_the_same_network_on_unit_range(setup, lpips, images):
    outputs, truths = noisy(images, 40), to_float(images)
    hole = torch.ones(len(images), 1, 32, 32, dtype=torch.bool)
    unit = lpips.score((outputs + 1) / 2, (truths + 1) / 2, hole)
    found = LpipsUnscaled(setup).score(outputs, truths, hole)
    torch.testing.assert_close(found, unit, atol=1e-6, rtol=0)
    assert (found - lpips.score(outputs, truths, hole)).abs().min() > 1e-4


def test_large_images_keep_their_size(lpips):
    large = torch.rand(1, 3, 80, 72) * 2 - 1
    assert lpips._prepare(large) is large
    assert lpips._prepare(large[..., :40, :36]).shape == (1, 3, 71, 64)
