"""The parts of RAD, each taken away in turn."""

from __future__ import annotations

from radpipe.ablations import Ablation

ABLATION = Ablation(
    title="Ablation: the parts of RAD",
    axis="Variant",
    variants={
        "no_spatial_embedding": {"training.rad.embedding": "global"},
        "independent_masks": {"masks.training.family": "independent"},
        "box_masks": {"masks.training.family": "box"},
        "no_inverse_map": {"training.rad.embedding": "raw"},
        "from_scratch": {"training.rad.adapt": "scratch"},
        "loss_on_all_pixels": {"training.rad.region": "all"},
    },
    labels={
        "no_spatial_embedding": "no spatial embedding",
        "independent_masks": "masks of independent pixels",
        "box_masks": "masks: boxes only",
        "no_inverse_map": "no inverse map",
        "from_scratch": "from scratch, equal images",
        "loss_on_all_pixels": "loss over all pixels",
    },
    default_label="RAD",
    paper=(
        "The paper reports: without the spatial noise embedding worse, independent-pixel masks "
        "poor, Perlin masks best, training from scratch slow but of similar quality."
    ),
)
