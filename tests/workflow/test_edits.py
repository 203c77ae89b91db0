"""One edited parameter re-runs exactly what depends on it, and taking it back re-runs nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import tiny
import versioned
from radpipe import params
from radpipe.verbs import remote
from versioned import UP_TO_DATE, dvc, git, planned, silent

METRICS = params.read(tiny.ROOT / "params.yaml").evaluation.metrics
# What a reader of README and params.yaml expects: (setting, value, jobs but tables and figures, a
# table or figure that is made again, one that is not). By hand, not from the code.
Edit = tuple[str, Any, dict[str, int], str, str]
MAIN, TIMING, SCHEDULE = "table:main", "table:timing", "figure:noise_schedule"
QUALITATIVE, CURVES, MASKS = "figure:qualitative", "figure:training_curves", "figure:mask_bank"
GAUSSIAN, NONE = "table:gaussian", ""
SAMPLED = {"sample": 1, "evaluate": 1, "timing": 1}
RAD = {"rad": 1, "draws": 1} | SAMPLED
EDITS: list[Edit] = [
    ("training.rad.lr", 5.5e-4, RAD, MAIN, MASKS),
    ("training.base.lr", 3.3e-4,
     {"base": 1, "rad": 1, "sample": 2, "evaluate": 2, "timing": 2, "draws": 1}, MAIN, MASKS),
    ("training.lama.lr", 2.2e-3, {}, NONE, MAIN),  # LaMa is not among the methods
    ("inpainters.rad.steps", 2, {"draws": 1} | SAMPLED, MAIN, CURVES),
    ("inpainters.repaint.resamplings", 3, SAMPLED, MAIN, CURVES),
    ("inpainters.ddrm.steps", 3, {}, NONE, MAIN),  # nor is DDRM
    ("sampling.precision", "bf16",
     {"sample": 3, "evaluate": 3, "timing": 3, "draws": 1}, MAIN, CURVES),
    ("evaluation.bootstrap", 101, {"evaluate": 4}, MAIN, TIMING),
    ("evaluation.reference", "val", {"reference": 1, "evaluate": 4}, MAIN, TIMING),
    ("evaluation.fd_size", 65, {"reference": 1, "evaluate": 4}, MAIN, TIMING),
    ("evaluation.images", 6,
     {"holes": 1, "sample": 3, "evaluate": 4, "timing": 3, "draws": 1}, MAIN, CURVES),
    ("evaluation.figure_images", 2, {}, QUALITATIVE, MAIN),  # a plot's setting, the plot alone
    ("masks.training.count", 65, {"bank": 2} | RAD, MASKS, SCHEDULE),
    ("timing.repeats", 2, {"timing": 3}, TIMING, MAIN),
    ("gaussian.samples", 104, {"gaussian": 1}, GAUSSIAN, MAIN),
    ("run.methods", ["rad", "repaint", "telea", "biharmonic"],
     SAMPLED, TIMING, SCHEDULE),
    ("run.methods", ["rad", "telea"], {}, MAIN, SCHEDULE),  # nothing is timed again
    ("run.masks", ["box", "wide"],
     {"holes": 1, "sample": 3, "evaluate": 4, "draws": 1}, MAIN, CURVES),
    ("evaluation.metrics", [*METRICS, "fd_vgg16_truth"], {"evaluate": 4}, MAIN, CURVES),
    ("resources.sample_batch", 3, {}, NONE, MAIN),
    ("seed", 1,
     {"data": 1, "bank": 2, "holes": 1, "base": 1, "rad": 1, "reference": 1, "sample": 3,
      "evaluate": 4, "timing": 3, "gaussian": 1, "draws": 1}, MAIN, NONE),
]  # fmt: skip
NAMES = [f"{key}={json.dumps(value)}" for key, value, *_ in EDITS]


@pytest.fixture(scope="module")
def plans(finished, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `snakemake -n` says after each edit, in one folder: a dry run changes nothing."""

    def build(parent: Path) -> None:
        folder = versioned.copy(finished.folder, parent / "repository")
        settings, said = (folder / "params.yaml").read_bytes(), {}
        for name, edit in zip(NAMES, EDITS, strict=True):
            tiny.edit(folder, **{edit[0]: edit[1]})
            done = tiny.snakemake(folder, "-n")
            said[name] = done.stderr + done.stdout
            (folder / "params.yaml").write_bytes(settings)
        assert versioned.nothing_to_do(folder)
        (parent / "plans.json").write_text(json.dumps(said))

    built = tiny.once(tmp_path_factory, "plans", build)
    said: dict[str, str] = json.loads((built / "plans.json").read_text())
    return said


@pytest.mark.parametrize("name", NAMES)
def test_an_edit_reruns_what_a_reader_expects(plans: dict[str, str], name: str) -> None:
    key, _, expected, made, left = EDITS[NAMES.index(name)]
    jobs = versioned.ran(plans[name])
    assert {rule: count for rule, count in jobs.items() if rule not in ("table", "figure")} == (
        expected
    )
    again = set(re.findall(r"Job \d+: (table|figure) (\w+)", plans[name]))
    assert not made or tuple(made.split(":")) in again
    assert not left or tuple(left.split(":")) not in again
    assert max(map(len, plans[name].splitlines())) < 20_000  # no slice is printed
    if expected and not key.startswith("run."):
        assert f"changed since results were made: {key}" in plans[name]


def test_an_edit_under_dvc_its_publication_and_the_way_back(repository: Path) -> None:
    """`dvc repro` runs the same jobs; publishing removes what is no longer named; the files of
    before come back from DVC's cache without running any job."""
    measured = repository / "results/timing/emoji/telea/timing.csv"
    before, named = measured.read_bytes(), set(remote.stored(repository))
    assert named == set(remote.objects(repository))
    tiny.edit(repository, timing__repeats=2)
    plan = planned(repository)
    assert versioned.ran(versioned.repro(repository)) == plan
    assert plan["timing"] == 3
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


def test_what_is_written_otherwise_reruns_nothing_and_a_formula_does(repository: Path) -> None:
    module = repository / "src/radpipe/masks/box.py"
    text = module.read_text().replace("import numpy as np\n", "import math\n\nimport numpy as np\n")
    module.write_text("# a remark\n" + text)
    messages = repository / "src/radpipe/downloads.py"
    messages.write_text(messages.read_text() + "\n\ndef unused() -> int:\n    return 1\n")
    assert versioned.nothing_to_do(repository)
    module.write_text(text.replace("size // 2", "size // 3"))
    plan = planned(repository)
    assert {rule: plan.get(rule, 0) for rule in ("holes", "sample", "base", "rad", "bank")} == {
        "holes": 1, "sample": 3, "base": 0, "rad": 0, "bank": 0,
    }  # fmt: skip
