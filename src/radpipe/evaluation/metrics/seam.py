"""Boundary artefacts: is there a step along the hole's edge that the truth does not have?"""

from __future__ import annotations

import numpy as np

from radpipe.evaluation.metric import PerImage, of_pixels


def gradient_jump(images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Mean gradient jump across the hole's edge, in 8-bit levels.

    For neighbours p | q on either side of the edge, with p' behind p and q' behind q on the same
    line, the jump is |(q - p) - ((p - p') + (q' - q)) / 2|: how far the step across the edge is
    from the slopes on both sides. A ramp gives 0, a step its height (our definition).

    Args:
        images: uint8 `[B, H, W, 3]`.
        holes: bool `[B, H, W]`, True = hole.

    Returns:
        `[B]` float64, averaged over edges in both directions and channels; NaN without an edge
        (edges one pixel from the image's border have no p' or q' and are not counted).
    """
    total, count = np.zeros(len(images)), np.zeros(len(images))
    for axis in (1, 2):
        slope = np.diff(np.moveaxis(images, axis, 1).astype(np.float64), axis=1)
        edge = np.diff(np.moveaxis(holes, axis, 1), axis=1)[:, 1:-1]
        jump = np.abs(slope[:, 1:-1] - (slope[:, :-2] + slope[:, 2:]) / 2)
        total += (jump * edge[..., None]).sum(axis=(1, 2, 3))
        count += images.shape[-1] * edge.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        return total / count


def seam(outputs: np.ndarray, truths: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Gradient jump of the output minus that of the truth, in 8-bit levels.

    Around 0: the edge cannot be told from the image's own structure. Above 0: a visible seam.
    Below 0: smoother than the truth there (blur), which is no seam.
    """
    return gradient_jump(outputs, holes) - gradient_jump(truths, holes)


METRICS = (
    PerImage(
        name="seam",
        display="Seam",
        unit="levels",
        best="zero",
        meaning="gradient jump across the hole's edge minus the truth's, in 8-bit levels; "
        "0: no seam, above 0: one to be seen",
        build=of_pixels(seam),
        details={"unit": "8-bit levels, output minus truth"},
    ),
)
