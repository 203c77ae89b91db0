"""How long RAD is trained: shares of its own budget, each with a learning rate that ends there."""

from __future__ import annotations

from collections.abc import Callable

from radpipe.ablations import Ablation

SHARES = {"fortieth": 1 / 40, "two_fifths": 2 / 5}  # the common budget of ablations and all: beside


def of_all(share: float) -> Callable[[int], int]:
    """The images of a share of a budget."""
    return lambda images: max(1, round(share * images))


ABLATION = Ablation(
    title="Ablation: length of the training",
    axis="Training",
    variants={name: {"training.rad.images": of_all(share)} for name, share in SHARES.items()},
    labels={"fortieth": "1/40 of RAD's images", "two_fifths": "2/5 of RAD's images"},
    default_label="RAD (the ablations' budget)",
    paper="The paper trains for 300,000 steps; no result for another length is known here.",
)
