"""Telea's fast marching: a classical floor that any learned method has to beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from radpipe.diffusion.noise import PerImageNoise
from radpipe.inpainters.base import Inpainter
from radpipe.section import Section


class TeleaSettings(Section):
    """Settings of Telea's method."""

    radius: float = Field(
        3.0, gt=0, description="neighbourhood a pixel is filled from, pixels (OpenCV's example)"
    )


class Telea(Inpainter):
    """Telea, Journal of Graphics Tools 2004, as OpenCV has it.

    Works on 8-bit images, so what it fills in takes 256 values; known pixels are pasted back as
    they came. Deterministic: no noise, no network.
    """

    citation: ClassVar[str] = (
        "Telea, An Image Inpainting Technique Based on the Fast Marching Method, "
        "Journal of Graphics Tools 9(1), 2004"
    )
    rule: ClassVar[str] = "fast marching from the hole's border inwards, weighted local averages"
    requires: ClassVar[Literal["rad", "base", "lama"] | None] = None
    Settings: ClassVar[type[Section]] = TeleaSettings
    settings: TeleaSettings

    def planned_evaluations(self) -> int:
        return 0

    def inpaint(
        self,
        known: Tensor,
        hole: Tensor,
        noise: PerImageNoise,
        on_step: Callable[[], None] | None = None,
    ) -> Tensor:
        bytes_in = ((known + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        images = bytes_in.permute(0, 2, 3, 1).cpu().numpy()
        masks = hole[:, 0].cpu().numpy().astype(np.uint8)
        filled = [
            cv2.inpaint(np.ascontiguousarray(image), mask, self.settings.radius, cv2.INPAINT_TELEA)
            for image, mask in zip(images, masks, strict=True)
        ]
        out = torch.from_numpy(np.stack(filled)).permute(0, 3, 1, 2).to(known) / 127.5 - 1
        return torch.where(hole, out, known)
