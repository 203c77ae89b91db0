"""Frozen AlexNet features as a training loss (LaMa's perceptual term)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from radpipe.evaluation import BACKBONES
from radpipe.evaluation.features import Backbone, resize
from radpipe.evaluation.metrics import Options, Setup

SMALLEST = 64  # pixels; AlexNet's stem needs 63


class AlexNetFeatures(nn.Module):
    """Feature maps after each ReLU of LPIPS' AlexNet.

    Images smaller than 64 pixels are brought to 64 bilinearly (our choice: AlexNet needs it).
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.net, self.shift, self.scale = backbone.net, backbone.shift, backbone.scale

    def forward(self, images: Tensor) -> list[Tensor]:
        """`[B, 3, H, W]` in [-1, 1] -> five feature maps, differentiable."""
        x = (resize(images, max(SMALLEST, images.shape[-1])) - self.shift) / self.scale
        maps = []
        for layer in self.net:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                maps.append(x)
        return maps


def alexnet_features(archive: Path, cache: Path, device: str) -> Callable[[Tensor], list[Tensor]]:
    """The frozen feature network, from the archive that LPIPS' weights are read from."""
    setup = Setup({BACKBONES: archive}, cache, torch.device(device), options=Options())
    return AlexNetFeatures(Backbone("alexnet", setup)).eval()
