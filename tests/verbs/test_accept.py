"""Results made by older code are kept on request, and on no other ground."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radpipe import pipeline as pipelines
from radpipe.errors import UserError
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
    monkeypatch.setattr(pipelines, "code_digest", lambda *modules: "newer")
    return Pipeline(tree.pipeline.settings)


def test_code_alone_is_accepted_and_the_maker_is_recorded(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tree.root / RECEIPT
    before = json.loads(path.read_text())
    later = newer(tree, monkeypatch)
    assert RECEIPT in accept(later, tree.root)
    after = json.loads(path.read_text())
    cell = target_of("evaluate", dataset="emoji", method="telea", mask="box")
    assert after["slice"] == json.loads(later.slice(cell))
    assert after["made_by"] == before["slice"]["code"]
    assert after["files"] == before["files"]
    assert accept(later, tree.root) == []


def test_a_changed_setting_is_refused_and_nothing_is_stamped(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer(tree, monkeypatch)
    changed = Pipeline(tree.pipeline.settings.resolve("emoji", {"evaluation.bootstrap": 300}))
    before = {p: p.read_bytes() for p in tree.root.rglob("*.json")}
    with pytest.raises(UserError, match="more than code changed"):
        accept(changed, tree.root)
    assert before == {p: p.read_bytes() for p in tree.root.rglob("*.json")}


def test_a_result_of_an_older_upstream_is_refused(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was made of has been made anew since."""
    path = tree.root / RECEIPT
    receipt = json.loads(path.read_text())
    (samples,) = (u for u in receipt["slice"]["upstream"].values() if u["stage"] == "sample")
    samples["slice"] = "older"
    path.write_text(json.dumps(receipt))
    with pytest.raises(UserError, match="more than code changed"):
        accept(newer(tree, monkeypatch), tree.root)


def test_a_damaged_file_is_not_accepted(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree.root / "results/data/emoji/test.zip").write_bytes(b"damaged")
    with pytest.raises(UserError, match="damaged"):
        accept(newer(tree, monkeypatch), tree.root)
