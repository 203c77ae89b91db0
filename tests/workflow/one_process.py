"""Run all jobs of the DAG in this folder in one process: `python one_process.py`.

For tests of what the jobs make; a job under Snakemake is mostly the start of a process.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from radpipe import params
from radpipe.job import Job
from radpipe.pipeline import Pipeline
from radpipe.slices import slice_file


def main() -> None:
    settings = params.read()
    pipeline = Pipeline(settings)
    for target in pipeline.walk(pipeline.report_targets()):
        job = Job.read(slice_file(pipeline, target), Path(), settings.resources)
        importlib.import_module(f"radpipe.stages.{job.stage}").run(job)


if __name__ == "__main__":
    main()
