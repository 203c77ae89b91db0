"""LaMa: one forward pass of an FFC-ResNet on the masked image and the mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from torch import Tensor

from radpipe.diffusion.noise import PerImageNoise
from radpipe.inpainters.base import Inpainter
from radpipe.section import Section


class LamaSettings(Section):
    """None: which weights is a matter of the training, `training.lama.weights`."""


class Lama(Inpainter):
    """Suvorov et al., WACV 2022.

    The model is what `radpipe.models.lama.load_generator` returns, for weights trained here and
    for the public TorchScript file alike. It predicts the whole image, so the known pixels are
    pasted back, as LaMa itself does. Deterministic.
    """

    citation: ClassVar[str] = (
        "Suvorov et al., Resolution-robust Large Mask Inpainting with Fourier Convolutions, "
        "WACV 2022 (arXiv 2109.07161)"
    )
    rule: ClassVar[str] = "one forward pass of a Fourier-convolution ResNet; known pixels pasted"
    requires: ClassVar[Literal["rad", "base", "lama"] | None] = "lama"
    Settings: ClassVar[type[Section]] = LamaSettings
    settings: LamaSettings

    def planned_evaluations(self) -> int:
        return 1

    @torch.no_grad()
    def inpaint(
        self,
        known: Tensor,
        hole: Tensor,
        noise: PerImageNoise,
        on_step: Callable[[], None] | None = None,
    ) -> Tensor:
        output: Tensor = self.counted_model(known, hole)
        if on_step is not None:
            on_step()
        return torch.where(hole, output, known)
