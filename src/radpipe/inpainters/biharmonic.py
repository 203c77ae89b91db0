"""Biharmonic inpainting: the smoothest surface through the known pixels; a classical floor."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
import torch
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from radpipe.diffusion.noise import PerImageNoise
from radpipe.inpainters.base import Inpainter
from radpipe.section import Section


class BiharmonicSettings(Section):
    """Biharmonic inpainting has nothing to set."""


class Biharmonic(Inpainter):
    """Damelin and Hoang, 2018, as scikit-image has it.

    Solves one sparse linear system per image and channel; the answer is clipped to the range of
    the known pixels. Known pixels are pasted back as they came. Deterministic.
    """

    citation: ClassVar[str] = (
        "Damelin and Hoang, On Surface Completion and Image Inpainting by Biharmonic Functions: "
        "Numerical Aspects, Int. J. of Mathematics and Mathematical Sciences, 2018"
    )
    rule: ClassVar[str] = "biharmonic equation in the hole with the known pixels as boundary values"
    requires: ClassVar[Literal["rad", "base", "lama"] | None] = None
    Settings: ClassVar[type[Section]] = BiharmonicSettings

    def planned_evaluations(self) -> int:
        return 0

    def inpaint(
        self,
        known: Tensor,
        hole: Tensor,
        noise: PerImageNoise,
        on_step: Callable[[], None] | None = None,
    ) -> Tensor:
        images = known.permute(0, 2, 3, 1).cpu().numpy().astype(np.float64)
        masks = hole[:, 0].cpu().numpy()
        filled = [
            inpaint_biharmonic(image, mask, channel_axis=-1)
            for image, mask in zip(images, masks, strict=True)
        ]
        out = torch.from_numpy(np.stack(filled)).permute(0, 3, 1, 2).to(known)
        return torch.where(hole, out, known)
