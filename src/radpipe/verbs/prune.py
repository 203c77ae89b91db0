"""Orphans: files under results/ that no stage of the current settings makes.

They remain when a method, a mask or a data set is taken out of params.yaml, since results
persist; nothing reads them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from radpipe.errors import UserError
from radpipe.pipeline import FOLDERS, Pipeline
from radpipe.receipts import Receipt


def orphans(pipeline: Pipeline, root: Path) -> list[Path]:
    """Files in the folders of the stages that the settings do not lead to, sorted.

    Args:
        pipeline: of the current settings.
        root: the repository; the paths returned are relative to it.
    """
    known: set[str] = set()
    for target in pipeline.walk(pipeline.report_targets()):
        made = Receipt.read(root / target.receipt)
        known |= {*target.outputs, *(f"{target.folder}/{n}" for n in (made.files if made else ()))}
    found = [p.relative_to(root) for f in FOLDERS for p in (root / f).rglob("*") if p.is_file()]
    return sorted(path for path in found if path.as_posix() not in known)


def remove(paths: Sequence[Path], root: Path) -> None:
    """Delete orphans, the folders that they leave empty, and Snakemake's records of them."""
    for path in paths:
        try:
            (root / path).unlink()
        except OSError as error:
            raise UserError(
                f"an orphan cannot be removed: {(error.strerror or '').lower()}", str(path)
            ) from None
        for folder in path.parents:
            if len(folder.parts) < 3 or any((root / folder).iterdir()):
                break
            (root / folder).rmdir()
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all"]
    for start in range(0, len(paths), 500):
        names = map(str, paths[start : start + 500])
        subprocess.run([*command, "--cleanup-metadata", *names], cwd=root, capture_output=True)
