"""After a full run, and in a fresh clone, Snakemake and DVC have nothing to say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import tiny
import versioned
from versioned import NOTHING, UP_TO_DATE, dvc, git, silent


def test_dvc_adopts_what_snakemake_made(finished) -> None:
    """The first `dvc repro` after a full run computes nothing and records the results."""
    assert NOTHING in finished.adopted
    assert "Job stats" not in finished.adopted


def test_a_full_run_leaves_nothing_to_do(repository: Path) -> None:
    assert silent(repository)
    assert git(repository, "status", "--porcelain") == ""
    again = versioned.repro(repository)
    assert UP_TO_DATE in again
    assert "Building DAG" not in again  # it did not even ask Snakemake


def test_a_clone_with_pulled_results_leaves_nothing_to_do(finished, tmp_path: Path) -> None:
    """Also when every time stamp under results/ is scrambled."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(finished.folder), str(clone))
    dvc(clone, "pull")
    assert silent(clone)
    versioned.scramble(clone)
    assert silent(clone)
    assert UP_TO_DATE in versioned.repro(clone)


def test_a_missing_intermediate_result_is_seen(repository: Path) -> None:
    """Tables may be there and right: what they were made from must be there too."""
    (repository / "results/checkpoints/emoji/base/receipt.json").unlink()
    assert versioned.planned(repository).get("base") == 1
    assert versioned.status(repository) != {}
    dvc(repository, "checkout")
    assert silent(repository)


def test_without_its_records_snakemake_computes_rather_than_trusts(repository: Path) -> None:
    """A clone without `dvc pull` has tables from git, but nothing that vouches for them."""
    shutil.rmtree(repository / ".snakemake/metadata")
    for name in versioned.STAGE_FOLDERS:
        shutil.rmtree(repository / "results" / name)
    plan = versioned.planned(repository)
    assert {rule: plan[rule] for rule in ("data", "base", "rad", "sample", "evaluate")} == {
        "data": 1, "base": 1, "rad": 1, "sample": 3, "evaluate": 4,
    }  # fmt: skip
    made_of_results = [
        path
        for path in (repository / "results/tables/.receipts").glob("*.json")
        if json.loads(path.read_text())["slice"]["upstream"]
    ]
    assert plan["table"] == len(made_of_results)


def test_nothing_published_names_this_machine(finished) -> None:
    """No path of the repository, of this Python or of the user's home in what git tracks."""
    private = {str(finished.folder), str(tiny.BIN), str(tiny.ROOT), str(Path.home()) + "/"}
    tracked = git(finished.folder, "ls-files").splitlines()
    for name in tracked:
        content = (finished.folder / name).read_bytes()
        assert not [p for p in private if p.encode() in content], name
    assert any(name.startswith(".dvc/demo-remote/files/") for name in tracked)
