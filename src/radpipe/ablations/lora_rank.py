"""The adapter's rank, and no adapter at all. Alpha follows the rank, so that alpha / rank, the
factor on the update, stays 1 and the variants differ in capacity alone (our choice). All weights
are trained at half the learning rate (our choice, by a short run)."""

from __future__ import annotations

from radpipe.ablations import Ablation

ABLATION = Ablation(
    title="Ablation: rank of the adapter",
    axis="LoRA rank",
    variants={
        f"rank_{rank}": {"training.rad.rank": rank, "training.rad.alpha": float(rank)}
        for rank in (4, 64)
    }
    | {"all_weights": {"training.rad.adapt": "full", "training.rad.lr": lambda lr: lr / 2}},
    labels={"rank_4": "rank 4", "rank_64": "rank 64", "all_weights": "all weights, no adapter"},
    default_label="RAD (rank as in params.yaml)",
    paper="The paper's adapter has rank 16; no result for another rank is known here.",
)
