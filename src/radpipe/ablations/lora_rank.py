"""The adapter's rank. Alpha follows the rank, so that alpha / rank, the factor on the update,
stays 1 and the variants differ in capacity alone (our choice)."""

from __future__ import annotations

from radpipe.ablations import Ablation

ABLATION = Ablation(
    title="Ablation: rank of the adapter",
    axis="LoRA rank",
    variants={
        f"rank_{rank}": {"training.rad.rank": rank, "training.rad.alpha": float(rank)}
        for rank in (4, 64)
    },
    labels={"rank_4": "rank 4", "rank_64": "rank 64"},
    default_label="RAD (rank as in params.yaml)",
    paper="The paper's adapter has rank 16; no result for another rank is known here.",
)
