"""ADM networks in the layout of *diffusers*' UNet2DModel, under ADM's own names.

The layout is that of `UNet2DModel` with residual blocks that change the resolution, scale-shift
normalisation and separate q, k, v. Only names and shapes change here: q, k and v become the first,
second and third part of the rows of one fused layer. What those rows mean is up to the file. A
conversion of a public network (`attention_legacy_order: true`) cut ADM's own rows into thirds, so
they are in ADM's legacy order again; a network trained in the layout itself has the new order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from radpipe.errors import UserError
from radpipe.models.adm import AdmUNet
from radpipe.models.adm_config import AdmConfig
from radpipe.models.checkpoints import filled, read_safetensors

LAYOUT = "diffusers-adm"  # as `architecture` of an asset
LAYERS = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
    "group_norm": "norm",
    "to_out.0": "proj_out",
    "to_q": "qkv",
    "to_k": "qkv",
    "to_v": "qkv",
}
_LAYER = re.compile(rf"(.+)\.({'|'.join(map(re.escape, LAYERS))})")


def load(path: Path, config: AdmConfig) -> AdmUNet:
    """A conversion of an ADM network with `attention_legacy_order`, as a base network.

    Args:
        path: a safetensors file (`diffusion_pytorch_model.safetensors`).
        config: its architecture.

    Raises:
        UserError: the file is missing or damaged, a pickle, or of another architecture.
    """
    return filled(config, to_adm(read(path), config), path)


def read(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file in float32.

    Raises:
        UserError: the file is missing or damaged, or something else, like a pickle.
    """
    if not path.is_file():
        raise UserError("there is no such file of weights", str(path), "fetch it first")
    try:
        return {name: tensor.float() for name, tensor in read_safetensors(path)[0].items()}
    except SafetensorError as error:
        with path.open("rb") as file:
            start = file.read(2)
        if start == b"PK" or start[:1] == b"\x80":
            raise UserError(
                "it is a pickle, which may run anything when it is read",
                str(path),
                "take the .safetensors file of these weights",
            ) from None
        raise UserError(
            f"it is cut short, damaged or no safetensors file ({error})",
            str(path),
            "delete it and fetch it again",
        ) from None


def to_adm(weights: Mapping[str, Tensor], config: AdmConfig) -> dict[str, Tensor]:
    """The same numbers under ADM's names and in its shapes.

    Args:
        weights: as *diffusers* names them, without adapters.
        config: the architecture, which says where blocks and attention are.

    Returns:
        A state dict for `AdmUNet`; names that mean nothing here are kept as they are.
    """
    modules, found = modules_of(config), dict[str, list[Tensor]]()
    # q, k and v come in this order, under one name
    for name in sorted(weights, key=lambda name: (".to_k." in name) + 2 * (".to_v." in name)):
        path, _, kind = name.rpartition(".")
        within = _LAYER.fullmatch(path)
        module, layer = (within[1], f".{LAYERS[within[2]]}") if within else (path, "")
        tensor = weights[name]
        if kind == "weight" and (module.startswith("time_embedding.") or layer == ".emb_layers.1"):
            tensor = tensor.flatten(1)  # a network with a time per pixel has 1x1 convolutions here
        if kind == "weight" and layer in (".qkv", ".proj_out"):
            tensor = tensor[..., None]  # and ADM has 1-d convolutions here
        found.setdefault(f"{modules.get(module, module)}{layer}.{kind}", []).append(tensor)
    return {name: torch.cat(parts) for name, parts in found.items()}


def modules_of(config: AdmConfig) -> dict[str, str]:
    """Blocks and single layers: *diffusers*' name -> ADM's."""
    levels, blocks = len(config.channel_mult), config.num_res_blocks
    names = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    for level in range(levels):
        first = level * (blocks + 1)
        for j in range(blocks):
            names[f"down_blocks.{level}.resnets.{j}"] = f"input_blocks.{1 + first + j}.0"
            names[f"down_blocks.{level}.attentions.{j}"] = f"input_blocks.{1 + first + j}.1"
        names[f"down_blocks.{level}.downsamplers.0"] = f"input_blocks.{1 + first + blocks}.0"
        for j in range(blocks + 1):
            names[f"up_blocks.{level}.resnets.{j}"] = f"output_blocks.{first + j}.0"
            names[f"up_blocks.{level}.attentions.{j}"] = f"output_blocks.{first + j}.1"
        attends = 2 ** (levels - 1 - level) in config.attention_resolutions
        last = f"output_blocks.{first + blocks}.{2 if attends else 1}"
        names[f"up_blocks.{level}.upsamplers.0"] = last
    return names
