"""`radpipe accept`: keep results although code changed, where the change computes the same.

A digest of the code is part of every slice, so a formula written in another way makes a month of
training stale. Whoever knows that a change computes the same can say so: receipts whose slice
differs in code digests alone are stamped anew and record which code really made them; a changed
setting is refused. Snakemake is then told by `snakemake --touch`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from radpipe.dag import Target
from radpipe.errors import UserError
from radpipe.pipeline import Pipeline
from radpipe.receipts import Receipt, changes


@dataclass
class Accepted:
    """What was done.

    Attributes:
        stamped: receipts stamped anew, relative to the repository.
        refused: receipt -> why it was not.
    """

    stamped: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def accept(pipeline: Pipeline, root: Path) -> Accepted:
    """Stamp every receipt that differs from the current slices in code alone; leave the others.

    Args:
        pipeline: of the current settings.
        root: the repository; files that shared copies of the results lack may be absent.
    """
    done = Accepted()
    before: dict[str, str] = {}  # receipt -> its digest before it was stamped, or refused
    for target in pipeline.walk(pipeline.report_targets()):
        found = pipeline.outdated(target, root)
        if found is None:
            continue
        before[target.receipt], new = found.digest, pipeline.slice(target)
        why = _changed(found.slice, new, before, done) or _damaged(pipeline, target, found, root)
        if why:
            done.refused[target.receipt] = why
            continue
        made_by = found.made_by or str(found.slice["code"])
        replace(found, slice=new, made_by=made_by).write(root / target.receipt)
        done.stamped.append(target.receipt)
    return done


def _changed(
    old: Mapping[str, Any], new: Mapping[str, Any], before: Mapping[str, str], done: Accepted
) -> str:
    """What forbids a receipt of one slice to be stamped as of another; empty if nothing does: its
    settings must be the same, and what lies upstream now must be what it was made of."""
    if old["settings"] != new["settings"]:
        return next(changes(old, new), "its settings changed")
    if old["upstream"].keys() != new["upstream"].keys():
        return "it would stand on other results now"
    for name, made_of in old["upstream"].items():
        upstream = new["upstream"][name]
        if made_of["receipt"] in done.refused:
            return f"it stands on {made_of['receipt']}"
        if made_of["slice"] != before.get(upstream["receipt"], upstream["slice"]):
            return f"{upstream['receipt']} was made anew since"
    return ""


def _damaged(pipeline: Pipeline, target: Target, found: Receipt, root: Path) -> str:
    """Which fault the files that a receipt names have; empty if none."""
    folder, absent = target.under(root), set(target.outputs) - set(pipeline.kept(target))
    try:
        for name in found.files:
            path = f"{target.folder}/{name}"
            if path not in absent or (root / path).is_file():
                folder.file(name)
    except UserError as error:
        return error.what
    return ""
