"""Stage `gaussian`: every diffusion method on data whose right answer is known."""

from __future__ import annotations

from radpipe import plugins
from radpipe.dag import Stage
from radpipe.experiments import gaussian
from radpipe.files import atomic
from radpipe.job import Job
from radpipe.lazy import pandas, torch
from radpipe.progress import bar
from radpipe.settings import Gaussian

STAGE = Stage(
    name="gaussian",
    folder="results/metrics/gaussian",
    extras=("gaussian.csv",),
    keys=("seed", "gaussian"),
    values=lambda pipeline, target: {"methods": sorted(plugins.names("inpainters"))},
    plugins=lambda pipeline, target: [f"inpainters.{m}" for m in plugins.names("inpainters")],
)


def run(job: Job) -> None:
    """Write gaussian.csv, a row per method and settings."""
    torch.set_num_threads(job.threads)
    settings = job.section("gaussian", Gaussian)
    cases = gaussian.cases_of(job.settings["methods"], settings.steps)
    with bar(len(cases), "gaussian check", unit="cases") as progress:
        rows = gaussian.compare(
            cases, settings.samples, job.settings["seed"], lambda case: progress.update()
        )
    table = pandas.DataFrame(rows)
    with atomic(job.out / "gaussian.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.9g")
    job.finish("gaussian.csv")
