"""RePaint at its official budget: what RAD's speed is measured against must be measured, too.

2,410 network evaluations an image are a hundred times those of RAD, so fewer images are filled, and
scored by measures of single images alone (a distance of sets depends on how many there are).
"""

from __future__ import annotations

from collections.abc import Sequence

from radpipe.ablations import Ablation
from radpipe.evaluation import feature_networks

IMAGES = 100  # at most


def fewer(images: int) -> int:
    """Test images of a cell."""
    return min(images, IMAGES)


def of_single_images(metrics: Sequence[str]) -> list[str]:
    """Those of some metrics that need no set."""
    return [metric for metric in metrics if not feature_networks([metric])]


ABLATION = Ablation(
    title="RePaint at its official budget",
    axis="Budget",
    method="repaint",
    variants={
        "repaint": {
            "inpainters.repaint": {},  # its defaults are the official values
            "evaluation.images": fewer,
            "evaluation.metrics": of_single_images,
        }
    },
    labels={"repaint": "official (250 steps, jumps of 10, 10 resamplings)"},
    default_label="as in params.yaml",
    paper="The paper compares with RePaint at its official budget.",
)
