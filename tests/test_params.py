"""Every fault in params.yaml is one message that names the key and the cure."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from radpipe import dotted, params
from radpipe.errors import UserError
from radpipe.inpainters import load
from radpipe.plugins import names as plugins
from radpipe.yamlfile import load_yaml

PARAMS = Path(__file__).parent.parent / "params.yaml"


@pytest.fixture
def raw() -> dict[str, Any]:
    return yaml.safe_load(PARAMS.read_text())


def test_the_repositorys_settings_are_valid() -> None:
    assert params.read(PARAMS).run.datasets


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("sed", 1, ["`sed`", "`seed`"]),
        ("seed", "zero", ["seed", "write a number"]),
        ("run.methods", ["rad", "repant"], ["run.methods.1", "`repaint`"]),
        ("run.methods", ["rad", "rad"], ["twice"]),
        ("run.masks", ["boxx"], ["`box`"]),
        ("run.datasets", ["emojis"], ["`emoji`"]),
        ("run.ablations", ["lora_rnk"], ["`lora_rank`"]),
        ("datasets.emoji.model.attention", [7], ["side 7", "32, 16, 8"]),
        ("datasets.emoji.model.head_channels", 7, ["heads of 7"]),
        ("datasets.emoji.size", 34, ["halved"]),
        ("datasets.emoji.data.valu", 0.1, ["datasets.emoji.data.valu", "`val`"]),
        ("datasets.emoji.overrides", ["papr"], ["`paper`"]),
        ("masks.training.family", "perlni", ["`perlin`"]),
        ("masks.training.count", 0, ["masks.training.count", "greater"]),
        ("training.base.lr", "1e-4", ["training.base.lr", "write 1e-4 without quotes"]),
        ("training.rad.rank", 16.5, ["training.rad.rank"]),
        ("training.rad.region", "nosy", ["training.rad.region", "'noisy'"]),
        ("training.lama.l1", -1.0, ["training.lama.l1"]),
        ("training.rad.batch", 33, ["training.rad.batch"]),
        ("inpainters.repaint.stepz", 3, ["inpainters.repaint.stepz", "`steps`"]),
        ("inpainters.repant", {}, ["`repaint`"]),
        ("evaluation.split", True, ["evaluation.split", "quote"]),
        ("run.methods", [], ["run.methods", "at least 1 is needed"]),
        ("timing.repeats", 0, ["timing.repeats"]),
        ("resources.gpus", -1, ["resources.gpus"]),
        ("evaluation.metrics", ["lpipz"], ["evaluation.metrics.0", "`lpips`"]),
        ("evaluation.metrics", ["lpips", "lpips"], ["twice"]),
        ("datasets.emoji.base", "trian", ["datasets.emoji.base", "`train`"]),
        ("datasets.ffhq.base", "adm-fhq256", ["datasets.ffhq.base", "`adm-ffhq256`"]),
        ("datasets.ffhq.base", "twemoji", ["datasets.ffhq.base", "adm-imagenet256"]),
        ("datasets.ffhq.rad", "adm-ffhq256", ["datasets.ffhq.rad", "`authors-ffhq256`"]),
        ("datasets.ffhq.base", "authors-ffhq256", ["datasets.ffhq.base", "`adm-ffhq256`"]),
        ("training.lama.weights", "big_lama", ["training.lama.weights", "`big-lama`"]),
        ("inpainters.repaint.steps", 1001, ["inpainters.repaint.steps", "1000"]),
        ("inpainters.rad.steps", 1001, ["inpainters.rad.steps", "1000"]),
        ("masks.training.count", 1, ["masks.training.count", "2 or more"]),
    ],
)
def test_a_bad_setting_is_one_message(
    raw: dict[str, Any], key: str, value: Any, words: list[str]
) -> None:
    dotted.put(raw, key, value)
    if key == "training.rad.batch":
        dotted.put(raw, "training.rad.accumulate", 2)
    if key.startswith("datasets."):
        dotted.put(raw, "run.datasets", [key.split(".")[1]])
    with pytest.raises(UserError) as caught:
        params.parse(raw)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "Traceback" not in message
    assert "params.yaml" in message


@pytest.mark.parametrize(
    ("line", "value", "words"),
    [
        ("evaluation.imges", 3, ["overrides.paper.evaluation.imges", "`images`"]),
        ("evaluation.images", "many", ["overrides.paper.evaluation.images"]),
        ("evaluation.metrics", ["fidd"], ["overrides.paper.evaluation.metrics.0", "`fid`"]),
        ("inpainters.mcg", {"stps": 1000}, ["overrides.paper.inpainters.mcg.stps", "`steps`"]),
        ("inpainters.ddrm", {"steps": 1001}, ["overrides.paper.inpainters.ddrm.steps", "1000"]),
        ("training.lama.weights", "bog-lama", ["overrides.paper.training.lama.weights", "big-"]),
        ("resources.processes", 16, ["overrides.paper.training.rad.batch", "multiple of 16"]),
        ("masks.training.family", "boxx", ["overrides.paper.masks.training.family", "`box`"]),
        ("seed.more", 1, ["overrides.paper.seed.more", "not a section"]),
    ],
)
def test_a_fault_in_overrides_is_found_before_they_are_used(
    raw: dict[str, Any], line: str, value: Any, words: list[str]
) -> None:
    assert raw["datasets"][raw["run"]["datasets"][0]].get("overrides", []) == []
    raw["overrides"]["paper"][line] = value
    with pytest.raises(UserError) as caught:
        params.parse(raw)
    message = str(caught.value)
    assert all(word in message for word in words), message


@pytest.mark.parametrize("dataset", ["ffhq", "lsun_bedroom", "imagenet"])
def test_the_papers_data_sets_have_the_official_budgets(dataset: str) -> None:
    paper = params.read(PARAMS).resolve(dataset)
    for method in plugins("inpainters"):
        assert paper.inpainter(method) == load(method).Settings(), method
    rad = paper.inpainter("rad").model_dump()
    assert (rad["solver"], rad["steps"], rad["spacing"]) == ("ancestral", 100, "leading")


def test_a_missing_setting_is_named(raw: dict[str, Any]) -> None:
    del raw["training"]["rad"]["lr"]
    with pytest.raises(UserError, match=r"training\.rad\.lr"):
        params.parse(raw)


def test_overrides_hold_for_their_data_set_alone(raw: dict[str, Any]) -> None:
    parsed = params.parse(raw)
    official = parsed.resolve("ffhq").inpainter("repaint").model_dump()
    assert (official["steps"], official["jump_length"], official["resamplings"]) == (250, 10, 10)
    assert parsed.resolve("emoji").inpainter("repaint") == parsed.inpainter("repaint")


def test_yaml_faults_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("seed: 0\nrun: [unclosed\n")
    with pytest.raises(UserError, match="line 3"):
        params.read(path)


@pytest.mark.parametrize(
    ("text", "value"), [("1e-4", 1e-4), ("5e-05", 5e-5), ("1.0e-4", 1e-4), ("1E+1", 10.0)]
)
def test_numbers_with_an_exponent_need_no_point(tmp_path: Path, text: str, value: float) -> None:
    """`dvc exp run -S training.rad.lr=0.00005` writes 5e-05, which YAML 1.1 reads as a word."""
    edited, count = re.subn(r"(?<=\n    lr: )\S+", text, PARAMS.read_text(), count=1)
    assert count == 1
    (tmp_path / "params.yaml").write_text(edited)
    assert params.read(tmp_path / "params.yaml").training.base.lr == value


@pytest.mark.parametrize(
    "name", ["a;touch x;#", "../x", "a.b", "a b", "a|b", "$(id)", "(", "A", ""]
)
def test_a_data_set_is_named_by_a_plain_word(raw: dict[str, Any], name: str) -> None:
    """It is a folder's name and a word of shell commands."""
    raw["datasets"][name] = raw["datasets"]["emoji"] | {"reader": "emoji"}
    with pytest.raises(UserError, match="small letters, digits and _"):
        params.parse(raw)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 0\nseed: 1\n", 'duplicate key "seed"'),
        ("a: {b: [1, .inf]}\n", "a.b.1"),
        ("a: .nan\n", "finite"),
        ("a: &x [*x]\n", "aliases"),
        ("\n".join(["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
                   + [f"a{i}: &a{i} [{', '.join(9 * [f'*a{i - 1}'])}]" for i in range(1, 30)]),
         "aliases"),
    ],
)  # fmt: skip
def test_yaml_that_says_what_nobody_means_is_refused_at_once(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        load_yaml(text, "params.yaml")


def test_yaml_reads_words_as_words_and_numbers_as_numbers() -> None:
    assert load_yaml("a: no\nb: 1e-4\nc: &x [1]\nd: *x\n", "f") == {
        "a": "no", "b": 1e-4, "c": [1], "d": [1],
    }  # fmt: skip


PROGRAM = """
import sys
from radpipe import params
from radpipe.pipeline import Pipeline
pipeline = Pipeline(params.read())
assert [pipeline.digest(target) for target in pipeline.walk(pipeline.report_targets())]
from radpipe.cli import main
sys.argv = ["radpipe", "--help"]
try:
    main()
except SystemExit:
    pass
print(*sys.modules)
"""


def test_reading_the_settings_and_the_dag_imports_nothing_heavy() -> None:
    """A placeholder may stand for a package; what its own code imports must not be there."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=PARAMS.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    heavy = ("torch.", "cv2.", "skimage.", "scipy.", "pandas.", "matplotlib.", "peft", "dicebear.")
    assert [m for m in done.stdout.splitlines()[-1].split() if m.startswith(heavy)] == []
