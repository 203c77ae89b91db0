"""Boundary artefacts: is there a step along the hole's edge that the truth does not have?"""

from __future__ import annotations

import torch

from radpipe.evaluation.image_metrics import LEVELS
from radpipe.evaluation.metrics import Details, PerImageMetric


def gradient_jump(images: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    """Mean gradient jump across the hole's edge, in 8-bit levels.

    For neighbours p | q on either side of the edge, with p' behind p and q' behind q on the same
    line, the jump is |(q - p) - ((p - p') + (q' - q)) / 2|: how far the step across the edge is
    from the slopes on both sides. A ramp gives 0, a step its height (our definition).

    Args:
        images: `[B, 3, H, W]` in [-1, 1].
        hole: `[B, 1, H, W]` bool, True = hole.

    Returns:
        `[B]` float64, averaged over edges in both directions and channels; NaN without an edge
        (edges one pixel from the image's border have no p' or q' and are not counted).
    """
    total = torch.zeros(len(images), dtype=torch.float64, device=images.device)
    count = torch.zeros_like(total)
    for axis in (2, 3):
        pixels = images.double().mul(LEVELS).transpose(axis, 3)
        inside = hole.transpose(axis, 3)
        slope = pixels[..., 1:] - pixels[..., :-1]
        jump = (slope[..., 1:-1] - (slope[..., :-2] + slope[..., 2:]) / 2).abs()
        edge = (inside[..., 1:] != inside[..., :-1])[..., 1:-1]
        total += (jump * edge).flatten(1).sum(1)
        count += edge.flatten(1).sum(1) * images.shape[1]
    return total / count


class Seam(PerImageMetric):
    """Gradient jump of the output minus that of the truth, in 8-bit levels.

    Around 0: the edge cannot be told from the image's own structure. Above 0: a visible seam.
    Below 0: smoother than the truth there (blur), which is no seam.
    """

    def score(
        self, outputs: torch.Tensor, truths: torch.Tensor, hole: torch.Tensor
    ) -> torch.Tensor:
        return (gradient_jump(outputs, hole) - gradient_jump(truths, hole)).cpu()

    def details(self) -> Details:
        return {"unit": "8-bit levels, output minus truth"}
