"""Slices as files, and what they say of the results that are there.

Snakemake's rules have one input that says what a job may see: the file `.radpipe/slices/<stage>/
<digest>.json`, a name that changes with the slice. Its time stamp says whether the result here is
of another slice, so that a result of other settings or other code is seen as stale also where
Snakemake has no record of it: in a clone whose results were not fetched. A result that is not here
makes nothing stale: the slice of what stands on it contains its own.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from radpipe.dag import Target
from radpipe.files import write_text
from radpipe.pipeline import Pipeline
from radpipe.receipts import canonical, changes

FOLDER = Path(".radpipe/slices")
LONG_AGO = 1  # seconds of 1970: older than any result
MOST = 12  # lines of `stale`


def slice_file(pipeline: Pipeline, target: Target) -> Path:
    """The file of a target's slice, written if need be; new where the result here is of another."""
    path = FOLDER / target.stage.name / f"{pipeline.digest(target)}.json"
    if not path.is_file():
        write_text(path, canonical(pipeline.slice(target)))
    stale = pipeline.outdated(target, Path())
    os.utime(path, None if stale else (LONG_AGO, LONG_AGO))  # None: now, after any result
    return path


def prepare(pipeline: Pipeline, targets: list[Target]) -> Iterator[str]:
    """Write the slices of all that some targets stand on, before Snakemake looks what is there;
    say why results that are here are not those of the settings and the code, a line each."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for target in pipeline.walk(targets):
        slice_file(pipeline, target)
        if found := pipeline.outdated(target, Path()):
            for change in changes(found.slice, pipeline.slice(target)):
                counts[change][target.stage.name] += 1
    for change, stages in list(counts.items())[:MOST]:
        yield f"{change} ({', '.join(f'{count} {stage}' for stage, count in stages.items())})"
    if len(counts) > MOST:
        yield f"and {len(counts) - MOST} more changes"
