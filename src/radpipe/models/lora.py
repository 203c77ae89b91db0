"""RAD's adapter: LoRA on the convolutions, the time layers trained in full, the rest frozen.

LoRA (rank 16, alpha 16, A Gaussian with standard deviation 1 / rank, B zero; RAD's settings) is on
the query, key, value and output projections of every attention block, on both 3x3 convolutions
of every residual block and on the input and output convolutions. Trained in full: the time MLP and
every block's embedding projection (`modules_to_save` of PEFT).

ADM fuses q, k and v in one 1-d convolution. One rank-16 adapter on it would share A among the three
(FFHQ: 3,668,496 parameters); we give each of the three its own rank-16 adapter, as an adapter
of rank 48 whose B consists of three blocks (`lora_layers.FusedQkv`). That reproduces the authors'
counts for the FFHQ architecture exactly: 3,734,032 in LoRA and 9,915,648 in time layers.

The adapter is a PEFT directory that plain `peft.PeftModel.from_pretrained` reads, too.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors import SafetensorError
from torch import nn

from radpipe.errors import UserError
from radpipe.files import write_json
from radpipe.models.adm import AdmUNet
from radpipe.models.adm_config import AdmConfig
from radpipe.models.checkpoints import (
    new_unet,
    read_safetensors,
    refuse_nan,
    write_safetensors,
)
from radpipe.torchvision_compat import ensure_torchvision

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel

CONVOLUTIONS = r"(.*\.)?(in_layers\.2|out_layers\.3|qkv|proj_out)|input_blocks\.0\.0|out\.2"
TIME_LAYERS = ("time_embed.0", "time_embed.2", "emb_layers.1")
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."  # of PEFT's names


@dataclass(frozen=True)
class ParameterReport:
    """How many numbers of a network are trained.

    Attributes:
        base: all parameters of the network without adapter.
        lora: free parameters of the adapters (without the zero blocks of fused ones).
        time: trained parameters of the time MLP and the embedding projections.
        other: trained parameters elsewhere (full training only).
    """

    base: int
    lora: int
    time: int
    other: int

    @property
    def share(self) -> float:
        """Trained parameters relative to the base network's."""
        return (self.lora + self.time + self.other) / self.base

    def __str__(self) -> str:
        return (
            f"{self.base:,} parameters in the network; trained: {self.lora:,} in LoRA, "
            f"{self.time:,} in time layers, {self.other:,} elsewhere ({self.share:.1%})"
        )


def rad_network(
    base: AdmUNet,
    adapt: Literal["lora", "full", "scratch"] = "lora",
    rank: int = 16,
    alpha: float = 16,
    seed: int = 0,
) -> nn.Module:
    """A network to train RAD with.

    Args:
        base: the pretrained network; it becomes part of the result ('lora', 'full').
        adapt: 'lora' as the paper; 'full' trains all pretrained weights; 'scratch' trains all
            weights of a new network of the same architecture (ablation).
        rank: of LoRA.
        alpha: of LoRA.
        seed: of the initial weights of the adapter, or of the new network.

    Returns:
        Takes (x, time) like AdmUNet; what is to be trained has requires_grad.
    """
    if adapt == "lora":
        return add_lora(base, rank, alpha, seed)
    return base.requires_grad_(True) if adapt == "full" else new_unet(base.config, seed)


def add_lora(unet: AdmUNet, rank: int = 16, alpha: float = 16, seed: int = 0) -> PeftModel:
    """Wrap a network with a new adapter, which changes nothing until it is trained.

    Args:
        unet: changed in place and part of the result.
        rank: of each adapter.
        alpha: the adapters are scaled by alpha / rank.
        seed: of A; no global generator is touched.
    """
    ensure_torchvision()
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        target_modules=CONVOLUTIONS,
        rank_pattern={"qkv": 3 * rank},
        alpha_pattern={"qkv": 3 * alpha},
        init_lora_weights="gaussian",
        modules_to_save=list(TIME_LAYERS),
    )
    _register(config, unet.config)
    with torch.random.fork_rng(devices=[]):
        model = get_peft_model(unet, config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_A." in name:
                noise = torch.empty(parameter.shape).normal_(std=1 / rank, generator=generator)
                parameter.copy_(noise)
    return model


def parameter_report(model: nn.Module) -> ParameterReport:
    """Count what is trained in a network, with or without adapter."""
    base = lora = time = other = 0
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            lora += parameter.numel()
        elif ".modules_to_save." not in name:
            base += parameter.numel()
        if parameter.requires_grad and ".lora_" not in name:
            if any(f"{layer}." in name for layer in TIME_LAYERS):
                time += parameter.numel()
            else:
                other += parameter.numel()
    for name, blocks in model.named_buffers():
        if name.endswith(".blocks"):
            lora -= blocks.numel() * 2 // 3
    return ParameterReport(base, lora, time, other)


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write a PEFT directory; equal adapters give equal bytes, and no path is recorded."""
    from peft import get_peft_model_state_dict

    config = copy.copy(model.peft_config["default"])
    config.inference_mode = True
    entries = {k: sorted(v) if isinstance(v, set) else v for k, v in config.to_dict().items()}
    entries["auto_mapping"] = {
        "base_model_class": AdmUNet.__name__,
        "parent_library": AdmUNet.__module__,
    }
    write_safetensors(folder / WEIGHTS, get_peft_model_state_dict(model), {"format": "pt"})
    write_json(folder / CONFIG, entries)


def load_adapter(unet: AdmUNet, folder: Path) -> AdmUNet:
    """Add a saved adapter to the weights of its base network, which stays as fast as it was.

    Without PEFT, whose import takes longer than sampling a few images.

    Args:
        unet: the base network; changed in place.
        folder: written by `save_adapter`.

    Raises:
        UserError: the folder is incomplete or damaged, or belongs to another architecture.
    """
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise UserError(f"the adapter has no {name}", str(folder), "run its training again")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        alpha, alphas = config["lora_alpha"], config["alpha_pattern"]
        adapter, _ = read_safetensors(folder / WEIGHTS)
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise UserError(f"the adapter is damaged ({error})", str(folder)) from None
    refuse_nan(adapter, folder / WEIGHTS)
    weights = dict(unet.state_dict())
    try:
        if missing := _tensors(unet, config) - adapter.keys():
            raise KeyError(min(missing))
        for key, given in adapter.items():
            layer, lora, factor = key.removeprefix(PREFIX).partition(".lora_")
            if not lora:  # a time layer, trained in full
                weights[layer] = given
            elif factor == "B.weight":
                a = adapter[f"{PREFIX}{layer}.lora_A.weight"]
                scale = next((v for k, v in alphas.items() if layer.endswith(k)), alpha) / len(a)
                weight = weights[f"{layer}.weight"]
                delta = (scale * given.flatten(1)) @ a.flatten(1)
                weights[f"{layer}.weight"] = weight + delta.view_as(weight)
        unet.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise UserError(
            "the adapter does not fit the network: " + str(error).strip().splitlines()[-1].strip(),
            str(folder),
            "give the base network that it was trained on",
        ) from None
    return unet


def _tensors(unet: AdmUNet, config: dict[str, Any]) -> set[str]:
    """The names of all that an adapter of this configuration changes in a network."""
    names = set()
    for layer, module in unet.named_modules():
        if re.fullmatch(config["target_modules"], layer):
            names |= {f"{layer}.lora_A.weight", f"{layer}.lora_B.weight"}
        elif any(layer.endswith(end) for end in config["modules_to_save"]):
            names |= {f"{layer}.{name}" for name, _ in module.named_parameters()}
    return {PREFIX + name for name in names}


def _register(config: LoraConfig, architecture: AdmConfig) -> None:
    """Have PEFT use our layers."""
    from radpipe.models.lora_layers import FoldedConv1d, FoldedConv2d, FusedQkv

    def one_dimensional(target: nn.Conv1d, name: str, **kwargs: Any) -> nn.Module:
        if kwargs["target_name"].endswith("qkv"):
            return FusedQkv(target, name, architecture, **kwargs)
        return FoldedConv1d(target, name, **kwargs)

    config._register_custom_module({nn.Conv1d: one_dimensional, nn.Conv2d: FoldedConv2d})  # type: ignore[dict-item]
