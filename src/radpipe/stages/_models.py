"""A method with its network, built from checkpoints; shared by sampling, timing and the CLI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radpipe import inpainters, models
from radpipe.devices import resolve_device
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.inpainters.base import Inpainter
from radpipe.job import Job
from radpipe.lazy import torch
from radpipe.receipts import Folder
from radpipe.section import Section

if TYPE_CHECKING:
    from torch import nn

    from radpipe.models.denoiser import Mode
    from radpipe.settings import Resources

NETWORKS = ("base", "rad", "lama")  # the stages that make them
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")  # RAD's PEFT directory


def build(job: Job, method: str, precision: str) -> Inpainter:
    """An inpainter on the job's device, with the networks upstream.

    Args:
        job: that runs it.
        method: a file of inpainters/.
        precision: of an ADM network: fp32 or bf16.
    """
    folders = {stage: folder for stage in NETWORKS for folder in job.folders(stage)}
    settings = job.section(f"inpainters.{method}", inpainters.load(method).Settings)
    return inpainter(method, settings, folders, job.resources, precision)


def inpainter(
    method: str,
    settings: Section,
    folders: Mapping[str, Folder],
    resources: Resources,
    precision: str,
) -> Inpainter:
    """An inpainter on its device.

    Args:
        method: a file of inpainters/.
        settings: its own settings.
        folders: results by stage: what `requires` names, and `base` for RAD.
        resources: where its network runs, and how.
        precision: of an ADM network: fp32 or bf16.
    """
    kind, schedule = inpainters.load(method), TwoPhaseSchedule()
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    return kind(settings, network(kind.requires, folders, schedule, resources, dtype), schedule)


def network(
    requires: str | None,
    folders: Mapping[str, Folder],
    schedule: TwoPhaseSchedule,
    resources: Resources,
    dtype: torch.dtype,
) -> Any | None:
    """The model that an inpainter asks for."""
    if requires is None:
        return None
    device = resolve_device(resources.device)
    if requires == "lama":
        return models.lama.load_generator(folders["lama"].file("generator.weights"), device)
    mode: Mode = "scalar"
    base = folders["base"].file("model.safetensors")
    if requires == "rad":
        mode = folders["rad"].made.facts["embedding"]
        files = [folders["rad"].file(f"adapter/{name}") for name in ADAPTER]
        unet = adapted(base, files[0].parent)
    else:
        unet = models.checkpoints.load_unet(base)
    models.native.keep_freed_memory()
    unet = models.adm.ready(unet, device, resources.kernels, resources.compile)
    return models.denoiser.AdmDenoiser(unet.eval().requires_grad_(False), schedule, mode, dtype)


def adapted(base: Path, adapter: Path) -> nn.Module:
    """RAD's network: the base with its adapter merged, or the whole network of an ablation."""
    config = json.loads((adapter / models.lora.CONFIG).read_text())
    if config.get("whole_network"):
        return models.checkpoints.load_unet(adapter / models.lora.WEIGHTS)
    return models.lora.load_adapter(models.checkpoints.load_unet(base), adapter)
