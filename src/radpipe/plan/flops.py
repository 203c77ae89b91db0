"""Floating-point operations, counted by torch on networks without memory (meta tensors).

The real networks are run once for one image under `FlopCounterMode`, which counts convolutions and
matrix products, two operations per multiply-add. Not counted: element-wise work, normalisation,
Fourier transforms; on a GPU these cost memory traffic, which the assumed efficiency stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from radpipe.models.adm import AdmConfig
from radpipe.models.checkpoints import empty
from radpipe.models.lama import LamaConfig, LamaGenerator, PatchDiscriminator
from radpipe.models.noise_embedding import TimeMap


def count(run: Callable[[], Any]) -> int:
    """Operations of a call on meta tensors."""
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


@dataclass(frozen=True)
class TrainingCost:
    """One image through a training step.

    Attributes:
        flop: forward and backward.
        trained: parameters that change.
    """

    flop: int
    trained: int


@cache
def evaluation(config: AdmConfig, mode: str = "scalar", gradient: bool = False) -> int:
    """One network evaluation of one image.

    Args:
        config: the architecture.
        mode: time input: 'scalar', or RAD's 'spatial', 'dense', 'global', 'raw'.
        gradient: also the gradient with respect to the image (MCG).
    """
    unet = empty(config).eval().requires_grad_(False)
    x, time = _inputs(config, mode)
    if gradient:
        x.requires_grad_(True)
        return count(lambda: unet(x, time).sum().backward())
    return count(lambda: unet(x, time))


@cache
def training(config: AdmConfig, mode: str, adapt: str, rank: int) -> TrainingCost:
    """One image through a step of the base network's training ('scalar', 'full') or of RAD's."""
    unet: nn.Module = empty(config)
    if adapt == "lora":
        from radpipe.models.lora import rad_network

        with torch.device("meta"):
            unet = rad_network(unet, "lora", rank, rank)  # type: ignore[arg-type]
    x, time = _inputs(config, mode)
    flop = count(lambda: unet(x, time).sum().backward())
    return TrainingCost(flop, sum(p.numel() for p in unet.parameters() if p.requires_grad))


def parameters(config: AdmConfig) -> int:
    """Of a network without adapter."""
    return sum(p.numel() for p in empty(config).parameters())


def _inputs(config: AdmConfig, mode: str) -> tuple[Tensor, Tensor | TimeMap]:
    """An image and a time of the kind that the mode gives to the network."""
    size = config.image_size
    with torch.device("meta"):
        x, one, hole = torch.empty(1, 3, size, size), torch.empty(1), torch.empty(1, 1, size, size)
    if mode == "dense":
        return x, TimeMap.dense(hole)
    return x, TimeMap.binary(hole, one, one) if mode in {"spatial", "raw"} else one


@cache
def lama_evaluation(config: LamaConfig, size: int) -> int:
    """LaMa's generator on one image."""
    with torch.device("meta"):
        generator = LamaGenerator(config).eval()
        known, hole = torch.empty(1, 3, size, size), torch.empty(1, 1, size, size).bool()
    return count(lambda: generator(known, hole))


@cache
def lama_training(config: LamaConfig, width: int, layers: int, size: int) -> int:
    """One image through LaMa's step: both players, without R1 and the perceptual loss."""
    with torch.device("meta"):
        generator, judge = LamaGenerator(config), PatchDiscriminator(width, layers)
        image, hole = torch.empty(2, 3, size, size), torch.empty(2, 1, size, size).bool()

    def step() -> None:
        with torch.no_grad():
            judge(image)
            fake = generator(image, hole)
        judge(generator(image, hole))[0].sum().backward()
        (judge(image)[0].sum() + judge(fake)[0].sum()).backward()

    return count(step) // 2


@cache
def features(network: str, size: int) -> int:
    """A feature network of the metrics on one image: 'alexnet', 'vgg16' or 'inception' (299)."""
    from radpipe.torchvision_compat import ensure_torchvision

    ensure_torchvision()
    from torchvision import models

    with torch.device("meta"):
        if network == "inception":
            size, net = 299, models.inception_v3(aux_logits=False, init_weights=False).eval()
        else:
            net = {"alexnet": models.alexnet, "vgg16": models.vgg16}[network]().features.eval()
        x = torch.empty(1, 3, size, size)
    return count(lambda: net(x))
