"""Results made by older code are kept on request, and on no other ground."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radpipe import pipeline as pipelines
from radpipe.pipeline import Pipeline, target_of
from radpipe.verbs.accept import accept
from report_tree import Tree, make_settings

RECEIPT = "results/metrics/emoji/telea/box/receipt.json"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path, Pipeline(make_settings(methods=["telea"], masks=["box"])))
    made.write(target_of("table", name="main"))
    return made


def newer(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """The pipeline after a change of the code of every stage."""
    monkeypatch.setattr(pipelines, "_code", lambda *modules: "newer")
    return Pipeline(tree.pipeline.settings)


def test_code_alone_is_accepted_and_the_maker_is_recorded(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tree.root / RECEIPT
    before = json.loads(path.read_text())
    later = newer(tree, monkeypatch)
    done = accept(later, tree.root)
    assert RECEIPT in done.stamped and not done.refused
    after = json.loads(path.read_text())
    cell = target_of("evaluate", dataset="emoji", method="telea", mask="box")
    assert after["slice"] == later.slice(cell)
    assert after["made_by"] == before["slice"]["code"]
    assert after["files"] == before["files"]
    assert accept(later, tree.root).stamped == []


def test_files_that_clones_lack_need_not_be_there(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of ablation variants; here the features of every cell."""
    monkeypatch.setattr(Pipeline, "kept", lambda self, target: [
        name for name in target.outputs if not name.endswith("features.npz")
    ])  # fmt: skip
    (tree.root / RECEIPT).with_name("features.npz").unlink()
    assert RECEIPT in accept(newer(tree, monkeypatch), tree.root).stamped


def test_what_can_be_accepted_is_and_a_changed_setting_is_not(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer(tree, monkeypatch)
    changed = Pipeline(tree.pipeline.settings.resolve("emoji", {"evaluation.bootstrap": 300}))
    before = (tree.root / RECEIPT).read_bytes()
    done = accept(changed, tree.root)
    assert done.refused[RECEIPT] == "evaluation.bootstrap: 200 -> 300"
    assert "results/samples/emoji/telea/box/0.json" in done.stamped
    assert (tree.root / RECEIPT).read_bytes() == before


def test_a_result_of_an_older_upstream_is_refused(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was made of has been made anew since."""
    path = tree.root / RECEIPT
    receipt = json.loads(path.read_text())
    (samples,) = (u for u in receipt["slice"]["upstream"].values() if u["stage"] == "sample")
    samples["slice"] = "older"
    path.write_text(json.dumps(receipt))
    done = accept(newer(tree, monkeypatch), tree.root)
    assert done.refused[RECEIPT] == "results/samples/emoji/telea/box/0.json was made anew since"


def test_a_damaged_file_is_not_accepted_nor_what_stands_on_it(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree.root / "results/data/emoji/test.zip").write_bytes(b"damaged")
    done = accept(newer(tree, monkeypatch), tree.root)
    assert "damaged" in done.refused["results/data/emoji/receipt.json"]
    assert done.refused[RECEIPT] == "it stands on results/data/emoji/receipt.json"
