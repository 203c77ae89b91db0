"""A method with its network, built from checkpoints; shared by sampling, timing and the CLI."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import torch
from torch import nn

from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.inpainters import load
from radpipe.inpainters.base import Inpainter
from radpipe.job import Folder
from radpipe.models import lora
from radpipe.models.checkpoints import load_unet
from radpipe.models.denoiser import AdmDenoiser, Mode
from radpipe.settings import Section

log = logging.getLogger(__name__)

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def build(
    method: str,
    settings: Section | dict[str, Any],
    folders: dict[str, Folder],
    device: str,
    precision: str,
) -> Inpainter:
    """An inpainter on its device.

    Args:
        method: a file of inpainters/, without a variant.
        settings: its own settings.
        folders: results by stage: what `requires` names, and `base` for RAD.
        device: where its network runs.
        precision: of an ADM network, a key of `PRECISIONS`.
    """
    kind = load(method)
    parsed = kind.Settings.model_validate(settings) if isinstance(settings, dict) else settings
    schedule = TwoPhaseSchedule()
    model = network(kind.requires, folders, schedule, device, PRECISIONS[precision])
    return kind(parsed, model, schedule)


def network(
    requires: str | None,
    folders: dict[str, Folder],
    schedule: TwoPhaseSchedule,
    device: str,
    dtype: torch.dtype,
) -> Any | None:
    """The model that an inpainter asks for."""
    if requires is None:
        return None
    if requires == "lama":
        from radpipe.models.lama import load_generator

        return load_generator(folders["lama"].file("generator.weights"), device)
    mode: Mode = "scalar"
    unet: nn.Module
    if requires == "rad":
        adapter = _adapter(folders["rad"])
        facts = json.loads(folders["rad"].receipt.read_text())["facts"]
        mode = facts["embedding"]
        base = folders["base"].file("model.safetensors")
        unet = adapted(base, adapter)
    else:
        unet = load_unet(folders["base"].file("model.safetensors"))
    unet = (
        unet.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        .eval()
        .requires_grad_(False)
    )
    return AdmDenoiser(unet, schedule, mode, dtype)


def adapted(base: Path, adapter: Path) -> nn.Module:
    """RAD's network: the base with its adapter merged, or the whole network of an ablation."""
    config = json.loads((adapter / lora.CONFIG).read_text())
    if config.get("whole_network"):
        return load_unet(adapter / lora.WEIGHTS)
    return lora.load_adapter(load_unet(base), adapter)


def _adapter(folder: Folder) -> Path:
    """The PEFT directory, its files checked."""
    for name in ("adapter/adapter_config.json", "adapter/adapter_model.safetensors"):
        path = folder.file(name)
    return path.parent
