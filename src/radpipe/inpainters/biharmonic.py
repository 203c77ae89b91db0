"""Biharmonic inpainting: the smoothest surface through the known pixels; a classical floor."""

from __future__ import annotations

import numpy as np

from radpipe.diffusion.noise import PerImageNoise
from radpipe.inpainters.base import Inpainter
from radpipe.lazy import Tensor, skimage, torch


class Biharmonic(Inpainter):
    """Damelin and Hoang, 2018, as scikit-image has it.

    Solves one sparse linear system per image and channel; the answer is clipped to the range of
    the known pixels. Known pixels are pasted back as they came. Deterministic.
    """

    label, colour, marker = "Biharmonic", "#000000", "*"
    citation = (
        "Damelin and Hoang, On Surface Completion and Image Inpainting by Biharmonic Functions: "
        "Numerical Aspects, Int. J. of Mathematics and Mathematical Sciences, 2018"
    )
    rule = "biharmonic equation in the hole with the known pixels as boundary values"

    def inpaint(self, known: Tensor, hole: Tensor, noise: PerImageNoise) -> Tensor:
        self.refuse_without_known(hole)
        images = known.permute(0, 2, 3, 1).cpu().numpy().astype(np.float64)
        filled = [
            skimage.restoration.inpaint_biharmonic(image, mask, channel_axis=-1)
            for image, mask in zip(images, hole[:, 0].cpu().numpy(), strict=True)
        ]
        out = torch.from_numpy(np.stack(filled)).permute(0, 3, 1, 2).to(known)
        return torch.where(hole, out, known)
