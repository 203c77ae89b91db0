"""The FFHQ network that RAD's authors published, as one of ours.

Their file holds the public FFHQ network in *diffusers*' layout with LoRA beside each weight
(`X.base_layer`, `X.lora_A.default`, `X.lora_B.default`; alpha / rank = 1) and the trained time
layers. It becomes one plain network: LoRA is merged, because an adapter on the public base would
run with ADM's epsilon in group normalisation, 1e-5, and theirs is 1e-6.

Two things the names do not say: how the rows of q, k and v are ordered (theirs are split before
the heads), and what the network is told of the time (theirs: the noise level, 0 for a clean pixel;
ours: one less). A `Reading` names both; `PUBLISHED` is what reproduces their network on test
vectors, the others are for a file that turns out to be different (`judge`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from radpipe.errors import UserError
from radpipe.models.adm import AdmUNet
from radpipe.models.adm_config import AdmConfig
from radpipe.models.checkpoints import filled
from radpipe.models.denoiser import Mode
from radpipe.models.diffusers import read, to_adm

NORM_EPS = 1e-6
Times = Literal["t + 1", "t", "1 - alpha_bar", "1000 (1 - alpha_bar)"]
# how many steps later our index is to be read, and the mode that tells such times
_TIMES: dict[Times, tuple[int, Mode]] = {
    "t + 1": (1, "spatial"),
    "t": (0, "spatial"),
    "1 - alpha_bar": (0, "raw"),
    "1000 (1 - alpha_bar)": (0, "raw_1000"),
}


@dataclass(frozen=True)
class Reading:
    """How the numbers of a file are understood.

    Attributes:
        new_order: q, k and v are split before the heads; else ADM's legacy order.
        times: what the network was told in training; t is the 0-based step.
    """

    new_order: bool = True
    times: Times = "t + 1"

    @property
    def mode(self) -> Mode:
        """The time input of the network that `network` makes."""
        return _TIMES[self.times][1]

    def __str__(self) -> str:
        return f"{'new' if self.new_order else 'legacy'} order of attention, times {self.times}"


READINGS = tuple(Reading(order, times) for order in (True, False) for times in _TIMES)
PUBLISHED = READINGS[0]


@dataclass(frozen=True)
class Published:
    """The file's numbers under ADM's names.

    Attributes:
        path: the file.
        config: its architecture.
        base: state dict without LoRA: the network that they started from, with their time layers.
        merged: state dict with LoRA.
    """

    path: Path
    config: AdmConfig
    base: Mapping[str, Tensor]
    merged: Mapping[str, Tensor]

    def network(self, reading: Reading = PUBLISHED) -> AdmUNet:
        """The network, on the CPU, in evaluation mode; to be used with `reading.mode`."""
        weights, first = dict(self.merged), "time_embed.0.weight"
        weights[first] = fold_time(weights[first], _TIMES[reading.times][0])
        config = replace(self.config, use_new_attention_order=reading.new_order)
        return filled(config, weights, self.path)


def load(path: Path, config: AdmConfig) -> Published:
    """Read the authors' file.

    Args:
        path: `diffusion_pytorch_model.safetensors`.
        config: the data set's architecture; its epsilon is replaced by theirs.

    Raises:
        UserError: the file is missing, damaged or a pickle, lacks the time layers, or is not laid
            out as the FFHQ file.
    """
    tensors = read(path)
    if not any(name.startswith("time_embedding.") for name in tensors):
        raise UserError(
            "the time layers are missing, without which RAD's network is not one",
            str(path),
            "take unet/diffusion_pytorch_model.safetensors; adapters alone "
            "(pytorch_lora_weights.safetensors) are not enough",
        )
    config = replace(config, norm_eps=NORM_EPS)
    base, merged = (to_adm(weights, config) for weights in split(tensors, str(path)))
    found = Published(path, config, base, merged)
    try:
        found.network()
    except UserError as fault:
        raise UserError(
            fault.what,
            str(path),
            "only the authors' FFHQ file is understood, for a data set with FFHQ's network; how "
            "their files for LSUN and ImageNet are laid out is not known",
        ) from None
    return found


def split(tensors: Mapping[str, Tensor], where: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The layers' own weights without and with LoRA: W, and W + B A; the names without PEFT's."""
    base = {n.replace(".base_layer", ""): w for n, w in tensors.items() if ".lora_" not in n}
    merged = dict(base)
    for layer in dict.fromkeys(n.partition(".lora_")[0] for n in tensors if ".lora_" in n):
        try:
            a, b = (tensors[f"{layer}.lora_{part}.default.weight"] for part in "AB")
            weight = base[f"{layer}.weight"]
        except KeyError as missing:
            what = f"{missing} is missing beside other tensors of that layer"
            raise UserError(what, where, "fetch the file again") from None
        product = b.flatten(1).double() @ a.flatten(1).double()
        merged[f"{layer}.weight"] = (weight.double() + product.reshape(weight.shape)).float()
    return base, merged


def fold_time(weight: Tensor, steps: int) -> Tensor:
    """Weights of the first time layer that do with time t what `weight` does with t + steps.

    Exact, as the features of t + d are those of t, turned: cos w(t + d) = cos wt cos wd -
    sin wt sin wd, and sin w(t + d) = sin wt cos wd + cos wt sin wd.

    Args:
        weight: `[D, C]`, columns of the cosines, then of the sines (`sinusoidal`).
        steps: d.
    """
    half = weight.shape[1] // 2
    turn = steps * torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float64) / half)
    cosines, sines = weight.double().split(half, dim=1)
    turned = [cosines * turn.cos() + sines * turn.sin(), sines * turn.cos() - cosines * turn.sin()]
    return torch.cat(turned, dim=1).to(weight.dtype)
