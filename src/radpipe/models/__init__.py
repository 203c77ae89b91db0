"""Networks: ADM, its spatial noise embedding and adapter, LaMa, and their files.

The modules are imported at their first use: declarations that name them cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from radpipe.models import (
        adm,
        adm_config,
        authors,
        backbone_weights,
        backbones,
        checkpoints,
        denoiser,
        diffusers,
        ffc,
        inception,
        judge,
        lama,
        lora,
        lora_layers,
        modulation,
        native,
        noise_embedding,
        norm,
    )

__all__ = [
    "adm",
    "adm_config",
    "authors",
    "backbone_weights",
    "backbones",
    "checkpoints",
    "denoiser",
    "diffusers",
    "ffc",
    "inception",
    "judge",
    "lama",
    "lora",
    "lora_layers",
    "modulation",
    "native",
    "noise_embedding",
    "norm",
]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submodules=__all__)
