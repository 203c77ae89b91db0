"""Small networks whose every weight matters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from radpipe.models.adm import AdmConfig, AdmUNet

ORACLE = Path(__file__).parents[1] / "oracle"

SMALL = AdmConfig(
    image_size=16,
    model_channels=32,
    num_res_blocks=1,
    channel_mult=(1, 2, 2),
    attention_resolutions=(2, 4),
    num_head_channels=16,
)


@pytest.fixture
def oracle_net() -> AdmUNet:
    """The reference implementation's small network."""
    values = json.loads((ORACLE / "adm_tiny_config.json").read_text())
    values.pop("attention_resolutions_meaning")
    unet = AdmUNet(AdmConfig.from_dict(values)).eval()
    weights = load_file(ORACLE / "adm_tiny_weights.safetensors")
    unet.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return unet


@pytest.fixture
def oracle_io() -> dict[str, Tensor]:
    """Its input x, timesteps t and output y."""
    return load_file(ORACLE / "adm_tiny_io.safetensors")


@pytest.fixture
def small_net() -> AdmUNet:
    """Three resolutions, random weights in all layers (ADM starts with some at zero)."""
    generator = torch.Generator().manual_seed(3)
    unet = AdmUNet(SMALL).eval()
    with torch.no_grad():
        for name, p in unet.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            is_scale = p.ndim == 1 and name.endswith("weight")
            p.copy_(1 + 0.1 * noise if is_scale else noise * max(p[0].numel(), 16) ** -0.5)
    return unet


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Images `[3, 3, 16, 16]`; holes: some pixels, a box, none; times of the holes."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(3, 3, 16, 16, generator=generator)
    hole = torch.zeros(3, 1, 16, 16, dtype=torch.bool)
    hole[0] = torch.rand(1, 16, 16, generator=generator) < 0.5
    hole[1, :, 3:11, 5:16] = True
    return x, hole, torch.tensor([700.0, 12.5, 300.0])
