"""The way back from a number, and its refusal where a link no longer holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radpipe.errors import UserError
from radpipe.pipeline import Pipeline, target_of
from radpipe.report.show import show
from radpipe.stages import table
from radpipe.verbs.explain import explain
from report_tree import Tree, make_settings

MAIN = target_of("table", name="main")
TABLE = Path("results/tables/main.csv")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A results folder with the main table."""
    made = Tree(tmp_path, Pipeline(make_settings(methods=["rad", "telea"], masks=["box"])))
    made.write(MAIN)
    table.run(made.job(MAIN))
    return made


def chain(tree: Tree, metric: str = "lpips", method: str = "rad", **other: str) -> str:
    return explain(tree.pipeline, tree.root, TABLE, method, "box", metric, **other)


def test_the_chain_names_images_checkpoint_settings_and_checksums(tree: Tree) -> None:
    text = chain(tree)
    receipt = json.loads((tree.root / "results/samples/emoji/rad/box/0.json").read_text())
    assert receipt["files"]["0.zip"]["sha256"] in text
    for word in (
        "rad/default/adapter/adapter_model.safetensors",
        "base/model.safetensors",
        "data/emoji/test.zip",
        "training.rad.rank: 16",
        "The chain holds",
    ):
        assert word in text


@pytest.mark.parametrize("metric", ["fd_alexnet", "psnr_known", "evaluations"])
def test_every_kind_of_number_has_a_chain(tree: Tree, metric: str) -> None:
    assert "The chain holds" in chain(tree, metric)


def test_a_method_without_weights_stands_on_no_checkpoint(tree: Tree) -> None:
    assert "checkpoints" not in chain(tree, method="telea")


def test_what_no_copy_has_is_counted_and_not_missed(tree: Tree) -> None:
    """As in a clone after `dvc pull`."""
    assert "not kept" not in chain(tree)
    (tree.root / "results/metrics/emoji/rad/box/features.npz").unlink()
    assert "The chain holds" in chain(tree) and "1 more are not kept and not here" in chain(tree)


@pytest.mark.parametrize(
    "name",
    [
        "samples/emoji/rad/box/0.zip",
        "checkpoints/emoji/rad/default/adapter/adapter_model.safetensors",
        "data/emoji/test.zip",
        "metrics/emoji/rad/box/metrics.json",
        "metrics/emoji/rad/box/scores.csv",
        "tables/main.csv",
    ],
)
def test_one_changed_byte_anywhere_breaks_the_chain(tree: Tree, name: str) -> None:
    path = tree.root / "results" / name
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"checksum|no number"):
        chain(tree)


def test_a_missing_receipt_breaks_the_chain(tree: Tree) -> None:
    (tree.root / "results/checkpoints/emoji/base/receipt.json").unlink()
    with pytest.raises(UserError, match="missing"):
        chain(tree)


def test_a_changed_setting_breaks_the_chain_and_is_named(tree: Tree) -> None:
    settings = tree.pipeline.settings
    changed = settings.resolve("emoji", {"training.rad.rank": 8})
    later = Tree(tree.root, Pipeline(changed))
    with pytest.raises(UserError) as caught:
        chain(later)
    assert "results/tables/.receipts/main.json" in caught.value.where
    report_again = later.job(MAIN)
    table.run(report_again)  # even a table made anew stands on an old checkpoint
    with pytest.raises(UserError, match=r"changed since this was made"):
        chain(later)


def test_a_number_that_was_typed_in_is_refused(tree: Tree) -> None:
    path = tree.root / TABLE
    value = chain(tree).split(":")[0]
    path.write_text(path.read_text().replace(value, "0.001"))
    tree.job(MAIN).finish("main.csv")  # with a receipt that vouches for it
    with pytest.raises(UserError, match=r"the table says 0\.001"):
        chain(tree)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"method": "rat"}, "did you mean `rad`"),
        ({"metric": "lpipz"}, "did you mean `lpips`"),
        ({"method": "mcg"}, "not run"),
        ({"dataset": "ffqh"}, "did you mean `ffhq`"),
    ],
)
def test_what_is_not_there_gets_a_message(tree: Tree, wanted: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        chain(tree, **wanted)


def test_the_terminal_table_fits_and_marks_the_best(tree: Tree) -> None:
    text = show([tree.root / TABLE])
    lines = text.splitlines()[:-1]
    assert max(map(len, lines)) <= 80
    (rad,) = [line for line in lines if line.startswith("RAD")]
    assert rad.count("*") == 2
    assert not any(line.startswith("MCG") for line in lines)
