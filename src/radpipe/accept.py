"""`radpipe accept`: keep results although code changed, where the change computes the same.

A digest of the code is part of every slice, so a renamed function makes a month of training stale.
Whoever knows that a change computes the same can say so: receipts whose slice differs in code
digests alone are stamped anew and record which code really made them; a changed setting is
refused. Snakemake is then told by `snakemake --touch`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from radpipe.errors import UserError
from radpipe.files import write_json
from radpipe.job import Folder, canonical, digest
from radpipe.pipeline import Pipeline, Target


def accept(pipeline: Pipeline, root: Path) -> list[str]:
    """Stamp every receipt that differs from the current slices in code alone.

    Args:
        pipeline: of the current settings.
        root: the repository.

    Returns:
        The receipts stamped anew.

    Raises:
        UserError: a result's settings changed, or a file is not what its receipt says. Nothing
            is stamped then.
    """
    stale = []
    for target in pipeline.walk(pipeline.report_targets()):
        path = root / pipeline.place(target)["receipt"]
        if not path.is_file():
            continue
        receipt, current = json.loads(path.read_text()), json.loads(pipeline.slice(target))
        if receipt["slice"] == current:
            continue
        _refuse_other_changes(pipeline, target, receipt["slice"], current, root)
        folder = Folder(root / pipeline.place(target)["folder"], path)
        for name in receipt["files"]:
            folder.file(name)
        stale.append((path, receipt, current))
    for path, receipt, current in stale:
        made_by = receipt.get("made_by", receipt["slice"]["code"])
        write_json(path, {**receipt, "slice": current, "made_by": made_by})
    return [str(path.relative_to(root)) for path, _, _ in stale]


def _refuse_other_changes(
    pipeline: Pipeline, target: Target, old: dict[str, Any], new: dict[str, Any], root: Path
) -> None:
    """Settings must be the same, and what lies upstream now must be what the result was made of."""
    same = old["settings"] == new["settings"] and old["upstream"].keys() == new["upstream"].keys()
    for name, made_of in old["upstream"].items() if same else ():
        there = root / made_of["receipt"]
        now = (
            digest(canonical(json.loads(there.read_text())["slice"]))
            if there.is_file()
            else new["upstream"][name]["slice"]
        )
        same &= made_of["slice"] == now
    if not same:
        receipt = pipeline.place(target)["receipt"]
        raise UserError(
            "more than code changed since this result was made",
            str(root / receipt),
            f"make it anew: snakemake --cores all {receipt}",
        )
