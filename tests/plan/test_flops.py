"""Operations against networks whose count is known by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from radpipe.models.checkpoints import FFHQ256, IMAGENET256, LSUN256
from radpipe.plan import flops

SIDE, IN, OUT = 16, 3, 8
CONVOLUTION = 2 * SIDE * SIDE * 9 * IN * OUT  # a multiply-add is two


def network(**options: object) -> tuple[nn.Module, torch.Tensor]:
    layer = nn.Conv2d(IN, OUT, 3, padding=1, device="meta", **options)  # type: ignore[arg-type]
    return layer, torch.empty(1, IN, SIDE, SIDE, device="meta")


def test_a_convolution_is_two_operations_per_multiply_add() -> None:
    layer, x = network()
    assert flops.count(lambda: layer(x)) == CONVOLUTION


def test_a_backward_pass_costs_what_it_differentiates() -> None:
    layer, x = network()
    assert flops.count(lambda: layer(x).sum().backward()) == 2 * CONVOLUTION  # weights only
    x.requires_grad_(True)
    assert flops.count(lambda: layer(x).sum().backward()) == 3 * CONVOLUTION
    layer.requires_grad_(False)
    assert flops.count(lambda: layer(x).sum().backward()) == 2 * CONVOLUTION  # the image only


def test_sizes_of_the_public_networks() -> None:
    assert flops.parameters(FFHQ256) == 93_563_910
    assert flops.parameters(IMAGENET256) == 552_814_086


def test_an_evaluation_of_the_ffhq_network() -> None:
    """388 GFLOP; RAD's exact embedding adds a ten-thousandth, the dense form 39 %."""
    scalar = flops.evaluation(FFHQ256)
    assert scalar / 1e9 == pytest.approx(388, rel=0.005)
    assert flops.evaluation(FFHQ256, "spatial") == pytest.approx(scalar, rel=1e-4)
    assert flops.evaluation(FFHQ256, "dense") / scalar == pytest.approx(1.39, abs=0.01)


def test_mcg_costs_a_gradient_to_the_image() -> None:
    """Every convolution once more for its input: twice, and the attention's products thrice."""
    ratio = flops.evaluation(FFHQ256, gradient=True) / flops.evaluation(FFHQ256)
    assert ratio == pytest.approx(2.0, abs=0.01)


def test_training_lora_spares_the_frozen_weights_gradients() -> None:
    """Full training costs three forward passes; LoRA's share is a little above two."""
    forward = flops.evaluation(FFHQ256)
    full = flops.training(FFHQ256, "scalar", "full", 0)
    lora = flops.training(FFHQ256, "spatial", "lora", 16)
    assert full.flop / forward == pytest.approx(3.0, abs=0.01)
    assert 2.0 < lora.flop / forward < 2.5
    assert full.trained == 93_563_910
    assert 3_734_032 + 9_915_648 <= lora.trained < 14_000_000  # the authors', and zero blocks of B


def test_dropout_costs_nothing() -> None:
    assert flops.evaluation(LSUN256) == flops.evaluation(IMAGENET256)


def test_known_feature_networks() -> None:
    """InceptionV3's published 5.7 billion multiply-adds at 299 pixels."""
    assert flops.features("inception", 256) / 2e9 == pytest.approx(5.7, abs=0.05)
