"""Telea's fast marching: a classical floor that any learned method has to beat."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from radpipe.diffusion.noise import PerImageNoise
from radpipe.inpainters.base import Inpainter, to_network, to_pixels
from radpipe.lazy import Tensor, cv2, torch
from radpipe.section import Section


class Telea(Inpainter):
    """Telea, Journal of Graphics Tools 2004, as OpenCV has it.

    Works on 8-bit images, so what it fills in takes 256 values; known pixels are pasted back as
    they came. Deterministic: no noise, no network.
    """

    label, colour, marker = "Telea", "#7F7F7F", "X"
    citation = (
        "Telea, An Image Inpainting Technique Based on the Fast Marching Method, "
        "Journal of Graphics Tools 9(1), 2004"
    )
    rule = "fast marching from the hole's border inwards, weighted local averages"

    class Settings(Section):
        """Settings of Telea's method."""

        radius: float = Field(
            3.0, gt=0, description="neighbourhood a pixel is filled from, pixels (OpenCV's example)"
        )

    settings: Settings

    def inpaint(self, known: Tensor, hole: Tensor, noise: PerImageNoise) -> Tensor:
        self.refuse_without_known(hole)
        masks = hole[:, 0].cpu().numpy().astype(np.uint8)
        filled = [
            cv2.inpaint(np.ascontiguousarray(image), mask, self.settings.radius, cv2.INPAINT_TELEA)
            for image, mask in zip(to_pixels(known), masks, strict=True)
        ]
        return torch.where(hole, to_network(np.stack(filled)).to(known), known)
