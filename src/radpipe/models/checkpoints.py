"""Checkpoints that carry their architecture, and the public ones that do not.

Ours are safetensors files whose header holds one JSON document: the architecture and whatever
else the caller records. Public `.pt` files are read with `weights_only=True` into an architecture
that the caller names; a file of another architecture is refused by its first wrong tensor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from radpipe.errors import UserError, unknown
from radpipe.files import atomic
from radpipe.models.adm import AdmUNet
from radpipe.models.adm_config import AdmConfig

FFHQ256 = AdmConfig(
    image_size=256,
    model_channels=128,
    num_res_blocks=1,
    channel_mult=(1, 1, 2, 2, 4, 4),
    attention_resolutions=(16,),
    num_head_channels=64,
)
IMAGENET256 = replace(
    FFHQ256, model_channels=256, num_res_blocks=2, attention_resolutions=(8, 16, 32)
)
LSUN256 = replace(IMAGENET256, dropout=0.1)

ARCHITECTURES: dict[str, AdmConfig] = {
    "FFHQ256": FFHQ256,
    "LSUN256": LSUN256,
    "IMAGENET256": IMAGENET256,
}

_KEY = "radpipe"


def architecture(name: str) -> AdmConfig:
    """A named architecture.

    Raises:
        UserError: for an unknown name.
    """
    if name not in ARCHITECTURES:
        raise unknown("architecture", name, list(ARCHITECTURES))
    return ARCHITECTURES[name]


def empty(config: AdmConfig) -> AdmUNet:
    """The network without memory for its weights (torch's meta device)."""
    with torch.device("meta"):
        return AdmUNet(config)


def new_unet(config: AdmConfig, seed: int) -> AdmUNet:
    """A network with ADM's initial weights; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AdmUNet(config)


def save_unet(path: Path, unet: AdmUNet, extra: Mapping[str, Any] | None = None) -> None:
    """Write weights and architecture; equal contents give equal bytes.

    Args:
        path: a `.safetensors` file.
        unet: without adapters (merge them first).
        extra: JSON values to keep beside the architecture.
    """
    header = {"architecture": asdict(unet.config), "extra": dict(extra or {})}
    write_safetensors(path, unet.state_dict(), {_KEY: json.dumps(header, sort_keys=True)})


def load_unet(path: Path) -> AdmUNet:
    """A network from one of our checkpoints, on the CPU, in evaluation mode.

    Raises:
        UserError: the file is missing, damaged, not one of ours, or does not fit its header.
    """
    if not path.is_file():
        raise UserError("there is no such checkpoint", str(path), "run the training that writes it")
    try:
        weights, header = read_safetensors(path)
    except SafetensorError as error:
        raise UserError(
            f"the checkpoint is damaged ({error})", str(path), "write it anew"
        ) from None
    try:
        config = AdmConfig.from_dict(json.loads(header[_KEY])["architecture"])
    except (KeyError, ValueError):
        raise UserError(
            "the checkpoint does not say its architecture: it was not written by radpipe", str(path)
        ) from None
    return filled(config, weights, path)


def load_public(path: Path, config: AdmConfig) -> AdmUNet:
    """A network from a public ADM `.pt` file (a plain state dict), in float32 on the CPU.

    Args:
        path: the file.
        config: its architecture; see `architecture`.

    Raises:
        UserError: the file is missing or holds something else, or another architecture.
    """
    if not path.is_file():
        raise UserError("there is no such checkpoint", str(path), "download it first")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise UserError(
            f"not a readable checkpoint ({type(error).__name__})",
            str(path),
            "delete the file and fetch it again; only plain tensors are accepted",
        ) from None
    if not isinstance(weights, dict) or not all(isinstance(w, Tensor) for w in weights.values()):
        raise UserError("the checkpoint is not a plain state dict of tensors", str(path))
    return filled(config, {name: w.float() for name, w in weights.items()}, path)


def check_shapes(config: AdmConfig, shapes: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Compare the names and shapes of a state dict with an architecture's, without allocating.

    Raises:
        UserError: naming the first wrong tensor and the architecture that the file likely has.
    """
    if conditional := [name for name in shapes if name.startswith("label_emb.")]:
        raise UserError(
            f"the checkpoint is of a class-conditional network: it has `{conditional[0]}`",
            where,
            "take the unconditional network; classes are not supported",
        )
    if fault := next(_faults(_shapes(config), shapes), ""):
        raise UserError(f"the checkpoint does not fit: {fault}", where, _likely(shapes))


def _faults(
    wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
) -> Iterator[str]:
    """What is wrong with the tensors found, for people."""
    for name, shape in wanted.items():
        if name not in found:
            yield f"`{name}` {list(shape)} is missing"
        elif tuple(found[name]) != shape:
            yield f"`{name}` is {list(found[name])}, expected {list(shape)}"
    for name in found:
        if name not in wanted:
            yield f"`{name}` is not part of the network"


@lru_cache(maxsize=8)
def _shapes(config: AdmConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of an architecture's state dict."""
    return {name: tuple(tensor.shape) for name, tensor in empty(config).state_dict().items()}


def _likely(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """What the file seems to hold, from the share of tensors it has in common with each."""
    found = {(name, tuple(shape)) for name, shape in shapes.items()}
    shares = {}
    for name, config in ARCHITECTURES.items():
        known = set(_shapes(config).items())
        shares[name] = len(known & found) / len(known | found)
    best = max(shares.values())
    names = " or ".join(name for name, share in shares.items() if share == best)
    if best == 1:
        return f"these are the names and shapes of {names}: name that architecture"
    if best > 0.9:
        return f"it is nearly {names}, but incomplete or altered: fetch the file again"
    stem, out = shapes.get("time_embed.0.weight"), shapes.get("out.2.weight")
    if stem is None or out is None or len(stem) != 2:
        return "it does not look like an ADM network: check that it is the right file"
    attention = "with" if any(name.endswith(".qkv.weight") for name in shapes) else "without"
    return (
        f"it looks like an ADM network with {stem[1]} channels, {attention} attention and "
        f"{out[0]} output channels: correct the architecture that you named"
    )


def filled(config: AdmConfig, weights: dict[str, Tensor], path: Path) -> AdmUNet:
    """The network holding these very tensors.

    Raises:
        UserError: they do not fit, or are not all finite.
    """
    check_shapes(config, {name: tuple(w.shape) for name, w in weights.items()}, str(path))
    refuse_nan(weights, path)
    unet = empty(config)
    unet.load_state_dict(weights, assign=True)
    return unet.eval()


def refuse_nan(weights: Mapping[str, Tensor], path: Path) -> None:
    """Refuse weights that are not all numbers.

    Raises:
        UserError: naming the first such tensor.
    """
    for name, weight in weights.items():
        if not weight.isfinite().all():
            raise UserError(
                f"the weights hold NaN or infinity, in `{name}` first",
                str(path),
                "fetch the file again, or train anew at a lower `lr`",
            )


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a file, and the texts in its header.

    Raises:
        SafetensorError: it is damaged, or no safetensors file.
    """
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def write_safetensors(path: Path, weights: Mapping[str, Tensor], header: dict[str, str]) -> None:
    """Write tensors and one text of any name (several come in an order of chance); equal contents
    give equal bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with atomic(path) as temporary:
        save_file(tensors, temporary, header)
