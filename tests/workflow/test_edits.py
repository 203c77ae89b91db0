"""One edited parameter re-runs exactly what depends on it, and taking it back re-runs nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import tiny
import versioned
from radpipe.verbs import remote
from versioned import UP_TO_DATE, dvc, git, planned, silent

Edit = tuple[str, Any, tuple[str, ...], dict[str, int]]

# (setting, value, results that see it, all jobs but tables and figures), by hand
EDITS: list[Edit] = [
    ("training.rad.lr", 5.5e-4, ("rad",),
     {"rad": 1, "sample": 1, "evaluate": 1, "timing": 1}),
    ("training.base.lr", 3.3e-4, ("base",),
     {"base": 1, "rad": 1, "sample": 2, "evaluate": 2, "timing": 1}),
    ("inpainters.repaint.resamplings", 3, ("samples/emoji/repaint", "timing"),
     {"sample": 1, "evaluate": 1, "timing": 1}),
    ("evaluation.bootstrap", 101, ("evaluate",), {"evaluate": 3}),
    ("evaluation.reference", "val", ("reference", "evaluate"), {"reference": 1, "evaluate": 3}),
    ("evaluation.images", 6, ("holes", "sample", "evaluate"),
     {"holes": 1, "sample": 3, "evaluate": 3, "timing": 1}),
    ("masks.training.count", 65, ("bank",),
     {"bank": 2, "rad": 1, "sample": 1, "evaluate": 1, "timing": 1}),
    ("timing.repeats", 2, ("timing",), {"timing": 1}),
    # scores see all of their section
    ("evaluation.figure_images", 2, ("evaluate",), {"evaluate": 3}),
    ("run.methods", ["rad", "repaint", "telea", "biharmonic"], ("timing",),
     {"sample": 1, "evaluate": 1, "timing": 1}),
    ("run.masks", ["box", "wide"], (), {"holes": 1, "sample": 3, "evaluate": 3}),
    ("training.lama.lr", 2.2e-3, (), {}),
    ("resources.sample_batch", 3, (), {}),
    ("seed", 1, ("data", "bank"),
     {"data": 1, "bank": 2, "holes": 1, "base": 1, "rad": 1, "reference": 1,
      "sample": 3, "evaluate": 3, "timing": 1}),
]  # fmt: skip


def receipts(folder: Path) -> dict[str, dict[str, Any]]:
    """Receipt path -> the slice that its job had, from the files of a finished run."""
    found = [p for p in (folder / "results").rglob("*.json") if _is_receipt(p)]
    return {str(p.relative_to(folder)): json.loads(p.read_text())["slice"] for p in found}


def _is_receipt(path: Path) -> bool:
    content = json.loads(path.read_text())
    return isinstance(content, dict) and set(content) == {"slice", "files", "facts"}


def reports(folder: Path, key: str, roots: tuple[str, ...]) -> dict[str, int]:
    """Tables and figures that saw a setting or stand, however far, on some results."""
    known = receipts(folder)

    def changed(path: str) -> bool:
        own = known[path]
        if own["stage"] in roots or any(own["folder"].startswith(f"results/{r}") for r in roots):
            return True
        if own["stage"] in {"table", "figure"} and any(
            key == name or key.startswith(f"{name}.") for name in own["settings"]
        ):
            return True
        return any(changed(entry["receipt"]) for entry in own["upstream"].values())

    counts = {"table": 0, "figure": 0}
    for path, own in known.items():
        if own["stage"] in counts:
            counts[own["stage"]] += changed(path)
    return {kind: count for kind, count in counts.items() if count}


@pytest.fixture(scope="module")
def plans(finished, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, int]]:
    """What `snakemake -n` would run after each edit."""

    def plan(edit: Edit) -> dict[str, int]:
        folder = versioned.copy(finished.folder, tmp_path_factory.mktemp("edit") / "repository")
        tiny.edit(folder, **{edit[0]: edit[1]})
        return planned(folder)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip([edit[0] for edit in EDITS], pool.map(plan, EDITS), strict=True))


@pytest.mark.parametrize(("key", "value", "roots", "expected"), EDITS, ids=[e[0] for e in EDITS])
def test_an_edit_reruns_exactly_what_depends_on_it(
    finished, plans, key: str, value: Any, roots: tuple[str, ...], expected: dict[str, int]
) -> None:
    assert plans[key] == expected | reports(finished.folder, key, roots)


def test_an_edit_under_dvc_its_publication_and_the_way_back(repository: Path) -> None:
    """`dvc repro` runs the same jobs; publishing removes what is no longer named; the files of
    before come back from DVC's cache without running any job."""
    measured = repository / "results/metrics/emoji/timing/timing.csv"
    before, named = measured.read_bytes(), set(remote.stored(repository))
    assert named == set(remote.objects(repository))
    tiny.edit(repository, timing__repeats=2)
    plan = planned(repository)
    assert versioned.ran(versioned.repro(repository)) == plan
    assert plan["timing"] == 1
    assert measured.read_bytes() != before
    assert silent(repository)

    assert "removed" in tiny.run(repository, "radpipe", "publish").stdout
    assert set(remote.stored(repository)) == set(remote.objects(repository))
    assert named - set(remote.stored(repository))

    git(repository, "checkout", "-q", ".")
    dvc(repository, "checkout")
    assert silent(repository)
    assert UP_TO_DATE in versioned.repro(repository)
    assert measured.read_bytes() == before


def test_comments_do_not_rerun_jobs_and_code_does(repository: Path) -> None:
    """A comment in a stage's code changes nothing for Snakemake; a statement does."""
    module = repository / "src/radpipe/masks/box.py"
    module.write_text("# a remark\n" + module.read_text())
    assert versioned.nothing_to_do(repository)
    module.write_text(module.read_text() + "\nUNUSED = 1\n")
    plan = planned(repository)
    assert {rule: plan.get(rule, 0) for rule in ("holes", "sample", "base", "rad", "bank")} == {
        "holes": 1, "sample": 3, "base": 0, "rad": 0, "bank": 0,
    }  # fmt: skip
