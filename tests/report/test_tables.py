"""Tables: what they say of known scores, and what they say of what was not run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from radpipe import ablations, codedigest, inpainters, plugins
from radpipe.pipeline import Pipeline, target_of
from radpipe.report import load, names, printed
from radpipe.report.comparison import cell_rows, long_table, readable, warnings
from radpipe.report.results import Cell
from radpipe.report.show import show
from radpipe.report.table import Block, Table, Text, csv_text, decimals_for, number
from radpipe.report.tables.ablation_steps import with_front
from radpipe.stages import table as report_table
from report_tree import IMAGES, Tree, make_settings

METHODS = ["rad", "repaint", "telea"]


def build(root: Path, name: str, **run: object) -> tuple[Table, Tree]:
    """A table of made-up results."""
    tree = Tree(root, Pipeline(make_settings(**({"methods": METHODS, "masks": ["box"]} | run))))
    target = target_of("table", name=name)
    tree.write(target)
    return load("table", name).build(tree.job(target)), tree


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return build(tmp_path_factory.mktemp("main"), "main")[0].data


def rows(data: pd.DataFrame, **where: str) -> pd.DataFrame:
    for key, value in where.items():
        data = data[data[key] == value]
    return data


def test_ranks_follow_the_direction_of_each_metric(main: pd.DataFrame) -> None:
    for metric in ("lpips", "fd_alexnet", "psnr_hole", "ssim_hole"):
        ranks = rows(main, mask="box", metric=metric).set_index("method")["rank"]
        assert [ranks[m] for m in ("rad", "repaint", "telea")] == [1, 2, 3]
    known = rows(main, mask="box", metric="psnr_known", value=np.inf).set_index("method")["rank"]
    assert known[METHODS].eq(1).all()


def test_the_truth_is_a_row_that_is_not_ranked(tmp_path: Path) -> None:
    table, _ = build(tmp_path, "main")
    own = rows(table.data, method="truth", mask="box").set_index("metric")
    assert own.loc["lpips", "value"] == 0 and own.loc["fd_alexnet", "value"] == 4
    assert own["rank"].isna().all() and own["difference"].isna().all()
    assert set(own["weights"].dropna()) == {"none"}
    last = table.blocks[0].rows[-1]
    assert last[:2] == ("Truth", "")
    assert not any(entry.best or entry.second for entry in last[2:])
    assert not any("†" in entry.text for entry in last[2:])
    for name in ("ablation_components", "ablation_steps"):
        ablation, _ = build(tmp_path, name)
        assert ablation.blocks[0].rows[-1][0] == "Truth"


def seams(**values: float) -> list[dict[str, object]]:
    """Rows of a table of seams."""
    place = {"dataset": "emoji", "mask": "box", "metric": "seam", "label": "Seam", "unit": "levels"}
    common = place | {"lower_is_better": True, "paper": "not available"}
    return [common | {"method": method, "value": value} for method, value in values.items()]


def test_a_cell_of_fewer_images_is_not_ranked() -> None:
    """As RePaint's at its official budget: its first images may be easier than all."""
    common = {"dataset": "x", "mask": "box", "metric": "lpips", "lower_is_better": True}
    cells = [("a", 500, 0.2), ("b", 500, 0.3), ("few", 100, 0.1)]
    data = long_table([common | {"method": m, "n": n, "value": v} for m, n, v in cells])
    assert data.set_index("method")["rank"].to_dict() == {"a": 1, "b": 2, "few": None}


def test_the_best_seam_is_the_one_nearest_to_zero() -> None:
    data = long_table(seams(biharmonic=-9.9, rad=5.0, lama=-0.6, truth=0.0))
    assert data.set_index("method")["rank"].dropna().to_dict() == {
        "lama": 1, "rad": 2, "biharmonic": 3,
    }  # fmt: skip
    ((block,), _) = readable(data, {})
    assert block.columns[-1] == "Seam, levels → 0"
    assert [row[-1].best for row in block.rows] == [False, False, True, False]


def test_a_column_that_says_the_same_in_every_row_is_a_line_below(tmp_path: Path) -> None:
    table, _ = build(tmp_path, "main", masks=["box", "extreme", "wide"])
    assert not any("PSNR known" in name for block in table.blocks for name in block.columns)
    assert (
        table.footer[0]
        == "PSNR known, dB: ∞ in every row that was run (emoji, box; emoji, extreme; emoji, wide)."
    )
    ((block,), (line,)) = readable(long_table(seams(rad=1.0, lama=1.0)), {})
    assert block.columns == ("Method", "Evaluations")
    assert line.startswith("Seam, levels: 1.00 in every row")


def by_hand(method: str, values: list[float]) -> Cell:
    """A cell of images with these LPIPS values."""
    mean = sum(values) / len(values)
    row: dict[str, Any] = {
        "metric": "lpips", "label": "LPIPS", "value": mean, "low": mean - 0.3, "high": mean + 0.3,
        "n": len(values), "unit": "", "lower_is_better": True, "note": "",
    }  # fmt: skip
    scores = pd.DataFrame({"image": list("abcdefghijkl"), "lpips": values, "evaluations": 25.0})
    return Cell("emoji", method, "box", {"lpips": row}, scores, 0, 500, "test")


def test_differences_to_rad_are_paired() -> None:
    """Images differ by 0.3, the methods by 0.01 or 0.03 on each: only pairing can tell them."""
    rad = by_hand("rad", 3 * [0.1, 0.2, 0.3, 0.4])
    other = by_hand("repaint", 3 * [0.11, 0.23, 0.31, 0.43])
    row, _ = cell_rows(other, rad, "none")
    assert row["difference"] == pytest.approx(0.02)
    assert 0.01 < row["difference_low"] < 0.02 < row["difference_high"] < 0.03
    assert row["significant"] == "yes"
    same, _ = cell_rows(by_hand("telea", 3 * [0.2, 0.1, 0.4, 0.3]), rad, "none")
    assert same["difference"] == pytest.approx(0)
    assert same["significant"] == "no"
    assert all(entry["difference"] is None for entry in long_table(cell_rows(rad, rad, "")).iloc)


def test_a_warning_names_the_cells_that_it_is_about() -> None:
    labels = {"rad": "RAD", "telea": "Telea"}
    cells = [by_hand(method, 3 * [0.1, 0.2, 0.3, 0.4]) for method in labels]
    assert warnings("emoji", cells, labels) == []
    cells[1].rows["lpips"]["note"] = "outliers"
    assert warnings("emoji", cells, labels) == ["LPIPS (emoji): outliers (Telea, box)."]
    cells[0].rows["lpips"]["note"] = "outliers"
    assert warnings("emoji", cells, labels) == ["LPIPS (emoji): outliers."]


def test_a_distance_of_distributions_is_paired_by_blocks(main: pd.DataFrame) -> None:
    (row,) = rows(main, method="telea", mask="box", metric="fd_alexnet").to_dict("records")
    assert row["difference"] == pytest.approx(15.0 - 5.0)
    # the blocks of both move together, so that nothing of the intervals of 0.5 is left
    assert row["difference_low"] == pytest.approx(row["difference_high"])


def test_the_papers_cells_that_were_not_run_say_so(main: pd.DataFrame) -> None:
    for where in ({"method": "mcg", "mask": "box"}, {"method": "rad", "mask": "wide"}):
        assert set(rows(main, **where)["value"]) == {"not run"}
    assert set(rows(main, method="mcg")["rank"]) == {None}


def test_every_number_of_the_paper_is_one_that_is_known() -> None:
    assert printed.paper_value("ffhq", "lama", "box", "fid") == 27.7
    assert printed.paper_value("ffhq", "rad", "box", "fid") == "not available"
    assert printed.paper_value("emoji", "lama", "box", "fid") == "not available"
    assert len(printed.PAPER_VALUES) == 5


def test_readable_tables_show_the_papers_numbers_beside_ours(tmp_path: Path) -> None:
    table, _ = build(tmp_path, "main")
    for text in (table.markdown(), table.latex(), table.html()):
        for known in (27.7, 30.3, 23.2, 29.8, 23.7):
            assert f"not run; {known} (paper)" in text
    (cell,) = rows(table.data, dataset="ffhq", method="lama", mask="box").to_dict("records")
    assert (cell["value"], cell["paper"]) == ("not run", 27.7)

    place = {"dataset": "ffhq", "mask": "box", "metric": "fid", "unit": "", "label": "FID"}
    ours = [("lama", 25.0, 27.7), ("score_sde", 31.0, 30.3), ("rad", 20.0, "not available")]
    ((block,), _) = readable(
        long_table(
            [
                place | {"method": m, "value": v, "paper": paper, "lower_is_better": True}
                for m, v, paper in ours
            ]
        ),
        {},
    )
    assert [row[-1] for row in block.rows] == [
        Text("25.0", second=True, beside="27.7 (paper)"),
        Text("31.0", beside="30.3 (paper)"),
        Text("20.0", best=True),
    ]


def test_the_latex_footer_is_printed() -> None:
    table = Table("T", pd.DataFrame({"a": [1]}), (), "caption", ("n = 8, 95 %",))
    assert r"n = 8, 95 \%\par" in table.latex().replace("\n", " ")
    assert not [line for line in table.latex().splitlines() if line.startswith("%")]


def test_a_metric_without_its_weights_is_not_available(tmp_path: Path) -> None:
    settings = make_settings(methods=["rad", "telea"], masks=["box"])
    changed = settings.resolve("emoji", {"evaluation.metrics": ["fid", "lpips"]})
    tree = Tree(tmp_path, Pipeline(changed))
    tree.write(target_of("table", name="main"))
    table = load("table", "main").build(tree.job(target_of("table", name="main")))
    values = rows(table.data, mask="box", metric="fid").set_index("method")
    assert values.loc["rad", "value"] == "not available"
    assert "inception-fid" in values.loc["rad", "note"]
    assert values.loc["rad", "rank"] is None


def test_the_footer_says_how_and_with_what(tmp_path: Path) -> None:
    table, tree = build(tmp_path, "main", methods=["rad", "lama"])
    footer = "\n".join(table.footer)
    receipt = json.loads((tree.root / "results/checkpoints/emoji/lama/receipt.json").read_text())
    for text in (
        f"n = {IMAGES}",
        "resize: bilinear",
        "reference: emoji, train split",
        "block jackknife",
        "n < 2,048",
        "trained here on 40000 images",
        receipt["files"]["generator.weights"]["sha256"][:12],
    ):
        assert text in footer


def test_equal_results_give_equal_bytes(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        tree = build(tmp_path / name, "main")[1]
        report_table.run(tree.job(target_of("table", name="main")))
        files.append([p.read_bytes() for p in sorted(tree.root.glob("results/tables/main.*"))])
    assert files[0] == files[1] and len(files[0]) == 4


def test_all_tables_build_without_ablations_and_say_not_run(tmp_path: Path) -> None:
    for name in (n for n in names("table") if n.startswith("ablation_")):
        table, _ = build(tmp_path, name, ablations=[])
        variants = table.data[~table.data["method"].isin(["rad", "repaint", "truth"])]
        assert set(variants["value"]) == {"not run"}
        assert table.footer[0].startswith("not run")
        assert "to `run.ablations`" in table.footer[0]


def test_an_ablation_names_the_settings_that_its_variants_change(tmp_path: Path) -> None:
    table, _ = build(tmp_path, "ablation_lora_rank", ablations=["lora_rank"])
    changes = table.data.set_index("method")["changes"].to_dict()
    assert changes["rad@reference"] == ""
    assert changes["rad@lora_rank-rank_4"] == "training.rad.rank: 4, training.rad.alpha: 4.0"


def test_the_pareto_front_of_solvers() -> None:
    points = [("a", 5, 0.30), ("b", 10, 0.20), ("c", 10, 0.25), ("d", 25, 0.20), ("e", 50, 0.10)]
    common = {"dataset": "x", "mask": "box", "lower_is_better": True}
    long = [
        common | {"method": m, "metric": metric, "value": float(v)}
        for m, e, quality in [*points, ("truth", 0, 0.0)]
        for metric, v in (("lpips", quality), ("evaluations", e))
    ]
    data = with_front(long_table(long))
    marks = data[data["metric"] == "lpips"].set_index("method")["pareto"].to_dict()
    assert marks == {"a": "yes", "b": "yes", "c": "no", "d": "no", "e": "yes", "truth": ""}


def test_readable_tables_escape_what_their_format_reads() -> None:
    block = Block("50 % & more", ("a_b", "x|y"), ((Text("1", best=True), Text("2", second=True)),))
    table = Table("T", pd.DataFrame({"a": [1]}), (block,), "caption", ("note",))
    assert "**1**" in table.markdown() and "<u>2</u>" in table.markdown()
    latex = table.latex()
    assert r"50 \% \& more" in latex and r"a\_b" in latex and r"\textbf{1}" in latex
    assert "50 % &amp; more" in table.html() and "<b>1</b>" in table.html()


def test_numbers_show_two_digits_of_their_interval() -> None:
    assert decimals_for([0.012, 0.015]) == 3
    assert number(0.12345, 3) == "0.123"
    assert number(-1234.5, 1) == "\u22121,234.5"
    assert number(float("inf")) == "∞"
    assert number(0.0) == "0.00"
    assert number(0.009996) == "0.0100"


def test_zero_has_no_sign() -> None:
    assert [number(-9.4e-8, d) for d in (0, 3)] == ["0", "0.000"]
    assert number(-0.0) == "0.00"
    data = pd.DataFrame({"a": [-0.0, -1.5], "b": ["-0.0", None], "c": np.array([1, None])})
    assert csv_text(data) == "a,b,c\n0.0,-0.0,1\n-1.5,,\n"


def test_the_timing_table_prints_every_budget_and_what_was_not_run(tmp_path: Path) -> None:
    lines = build(tmp_path, "timing")[0].markdown().splitlines()
    entries = [[word.strip() for word in line.split("|")[1:-1]] for line in lines if "|" in line]
    printed_rows = {tuple(row[:3]): row[3:] for row in entries}
    assert printed_rows["RePaint", "official", "1"] == [
        "2,410", "150 [135, 180]", "500", "37.5",
    ]  # fmt: skip
    assert printed_rows["RePaint", "run", "8"] == ["25", "1.50 [1.35, 1.80]", "500", "3.00"]
    assert printed_rows["RAD", "official", "1"][0] == "100"
    assert ("Telea", "official", "1") not in printed_rows
    assert printed_rows["MCG", "not run", ""] == ["", "", "", ""]
    unsorted = ["telea", "rad", "repaint"]
    table = build(tmp_path / "unsorted", "timing", methods=unsorted)[0]
    assert list(table.data["method"].unique()) == unsorted, "methods as in params.yaml"


def test_the_terminal_shows_the_main_table_in_80_columns(tmp_path: Path) -> None:
    methods = ["rad", "repaint", "score_sde", "mcg", "ddrm", "lama", "telea", "biharmonic"]
    tree = build(tmp_path, "main", methods=methods, masks=["box", "extreme", "wide", "narrow"])[1]
    report_table.run(tree.job(target_of("table", name="main")))
    path = tree.root / "results/tables/main.csv"
    data = pd.read_csv(path)
    data.replace({"method": {"telea": "navier_stokes_with_a_long_name"}}).to_csv(path, index=False)
    lines = show([path]).splitlines()
    table = [line for line in lines if not line.endswith(".csv")]
    assert max(map(len, table)) <= 80
    named = [line for line in table if line.startswith("navier_stokes_with_a_long_name ")]
    assert len(named) == 2 and "0.300" in named[0]  # two masks beside each other
    (best,) = [line for line in table if line.startswith("RAD ")][:1]
    assert "0.100*" in best
    assert any(line.startswith("Truth ") for line in table)


def test_an_ablation_of_one_file_has_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As README promises: one file, one word in params.yaml."""
    folder = tmp_path / "ablations"
    folder.mkdir()
    text = Path(ablations.__file__).with_name("length.py").read_text()
    (folder / "colour.py").write_text(text.replace("length of the training", "colour"))
    monkeypatch.setattr(ablations, "__path__", [*ablations.__path__, str(folder)])
    monkeypatch.setattr(ablations.__spec__, "submodule_search_locations", ablations.__path__)
    found = codedigest._path
    monkeypatch.setattr(
        codedigest, "_path", lambda name: folder / "colour.py" if "colour" in name else found(name)
    )
    plugins.names.cache_clear()
    try:
        assert "ablation_colour" in names("table")
        table, _ = build(tmp_path, "ablation_colour", ablations=["colour"])
        assert table.title == "Ablation: colour"
        assert "rad@colour-fortieth" in set(table.data["method"])
    finally:
        plugins.names.cache_clear()


def test_a_changed_label_makes_what_prints_it_stale_and_no_score(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = make_settings(methods=METHODS, masks=["box"])

    def digests() -> dict[str, str]:
        pipeline = Pipeline(settings)
        cell = pipeline.target("evaluate", dataset="emoji", method="telea", mask="box")
        found = [*pipeline.report_targets(), cell]
        return {str(target): pipeline.digest(target) for target in found}

    before = digests()
    monkeypatch.setattr(inpainters.load("telea"), "label", "Another name")
    after = digests()
    changed = {name for name in before if before[name] != after[name]}
    assert len(changed) > 5
    for name in changed:
        assert name.startswith(("table", "figure"))
    assert not any("noise_schedule" in name or "mask_bank" in name for name in changed)
