"""The paper's claims: test, our numbers, verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radpipe.report import printed
from radpipe.report.claims import claims
from radpipe.report.evidence import UNTESTED, Evidence
from radpipe.report.results import ablation_methods, cell_targets
from radpipe.report.table import Block, Table, Text
from radpipe.report.tables import timing

if TYPE_CHECKING:
    import pandas as pd

    from radpipe.dag import Target
    from radpipe.job import Job
    from radpipe.pipeline import Pipeline

KEYS = ("run.datasets", "run.methods", "run.masks", "run.ablations")
ABLATIONS = ("components", "lora_rank")
COLUMNS = ("dataset", "claim", "statement", "source", "test", "numbers", "verdict")
CAPTION = (
    "One row per claim of the paper and data set. The tests were fixed before the numbers. "
    "The claims are about 256-pixel photographs; what a small run says about them is what its "
    "row says, no more."
)


def needs(pipeline: Pipeline) -> list[Target]:
    """The comparison, the timing and, where they are run, the ablations that claims are about."""
    run = pipeline.settings.run
    variants = [m for name in ABLATIONS for m in ablation_methods(pipeline, name)]
    methods = dict.fromkeys([*run.methods, *variants])
    times = timing.needs(pipeline)
    return [*cell_targets(pipeline, list(methods)), *times]


def build(job: Job) -> Table:
    """Judge every claim on every data set of the run; name the paper's that were not run."""
    import pandas as pd

    masks = printed.with_papers(job.settings["run.masks"], printed.PAPER_MASKS)
    rows: list[tuple[str, ...]] = []
    for dataset in job.settings["run.datasets"]:
        evidence = Evidence(job, dataset)
        for claim in claims(masks):
            verdict = claim.judge(evidence)
            rows.append(
                (
                    dataset,
                    claim.name,
                    claim.statement,
                    claim.source,
                    claim.test,
                    verdict.numbers,
                    verdict.outcome,
                )
            )
    for dataset in printed.PAPER_DATASETS:
        if dataset not in job.settings["run.datasets"]:
            rows.append(_other(dataset))
    data = pd.DataFrame(rows, columns=list(COLUMNS))
    counts = {str(k): int(v) for k, v in data["verdict"].value_counts().items()}
    verdicts = {f"{r.dataset} {r.claim}": r.verdict for r in data.itertuples()}
    metrics = {"counts": counts, "verdicts": verdicts}
    return Table("Claims of the paper", data, tuple(_blocks(data)), CAPTION, (), metrics)


def _other(dataset: str) -> tuple[str, ...]:
    name = printed.DATASETS[dataset]
    return (
        dataset,
        "state_of_the_art",
        f"RAD is the state of the art on {name} at 256 pixels",
        "paper, main table",
        "the claims above, on this data set",
        f"`{dataset}` is not in `run.datasets`",
        UNTESTED,
    )


def _blocks(data: pd.DataFrame) -> list[Block]:
    head = ("Claim", "Test", "Our numbers", "Verdict")
    return [
        Block(
            str(dataset),
            head,
            tuple(
                (r.statement, r.test, r.numbers, Text(r.verdict, best=r.verdict != UNTESTED))
                for r in part.itertuples()
            ),
        )
        for dataset, part in data.groupby("dataset", sort=False)
    ]
