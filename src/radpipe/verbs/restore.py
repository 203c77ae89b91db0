"""`radpipe restore`: back to the settings and results that the last commit records.

From every state: after an edit, after `dvc exp run`, after Ctrl-C or a kill in the middle of
either. What would be lost is said first.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from radpipe.errors import UserError
from radpipe.verbs import remote

RECORDED = ("params.yaml", "dvc.lock", "results")
UNFINISHED = Path(".snakemake/incomplete")  # marks of jobs that were interrupted


def restore(root: Path, yes: bool) -> None:
    """Put settings, tables and results back as git and DVC record them.

    Args:
        root: the repository.
        yes: also where results would be lost that are nowhere else.

    Raises:
        UserError: there is no git; DVC's cache lacks a recorded result; results would be lost.
    """
    _git(root, "cat-file", "-e", "HEAD:dvc.lock")
    lost = remote.only_here(root)
    if lost and not yes:
        raise UserError(
            f"results that are nowhere else would be lost ({lost})",
            do="keep them: dvc repro, then git commit; or lose them: radpipe restore --yes",
        )
    _git(root, "checkout", "-q", "HEAD", "--", *RECORDED)
    remote.dvc(root, "fetch", "-q", check=False)
    remote.dvc(root, "checkout", "-q", "--force")
    shutil.rmtree(root / UNFINISHED, ignore_errors=True)


def _git(root: Path, *arguments: str) -> None:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise UserError(
            f"git says: {' '.join(done.stderr.split())}", str(root), "run it in a clone"
        )
