"""Figures: what they plot, that they are the same twice, and that images are not resampled."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from docutils.core import publish_doctree
from PIL import Image

from radpipe.pipeline import Pipeline, target_of
from radpipe.report import images as mosaic
from radpipe.report import load, names, printed, style
from radpipe.report.figures.qualitative_ranked import ranked
from radpipe.report.images import spread
from radpipe.stages import figure
from report_tree import Tree, make_settings, picture


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    settings = make_settings(
        methods=["rad", "telea"], masks=["box"], ablations=["lora_rank", "length", "official"]
    )
    made = Tree(tmp_path_factory.mktemp("figures"), Pipeline(settings))
    made.write(*(target_of("figure", name=name) for name in names("figure")))
    return made


def draw(tree: Tree, name: str) -> style.Drawing:
    return load("figure", name).draw(tree.job(target_of("figure", name=name)))


@pytest.mark.parametrize("name", names("figure"))
def test_every_figure_is_written_whole_with_its_numbers(tree: Tree, name: str) -> None:
    figure.run(tree.job(target_of("figure", name=name)))
    folder = tree.root / "results/figures"
    with Image.open(folder / f"{name}.png") as image:
        pixels = np.asarray(image.convert("L"))
    assert pixels.std() > 5  # not blank
    assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert len(pd.read_csv(folder / f"{name}.csv")) > 0


def test_equal_results_give_equal_bytes(tree: Tree) -> None:
    assert draw(tree, "qualitative").files() == draw(tree, "qualitative").files()


def test_nothing_touches_matplotlibs_global_settings(tree: Tree) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw(tree, "noise_schedule")
    assert dict(matplotlib.rcParams) == before


def test_images_of_a_grid_keep_their_pixels() -> None:
    images = [[picture(1), picture(2)]]
    joined = mosaic.join(mosaic.Grid("", [], images))
    assert joined.shape[0] % 32 == 0
    scale = joined.shape[0] // 32
    assert (joined[: 32 * scale : scale, : 32 * scale : scale] == images[0][0]).all()
    start = 32 * scale + mosaic.GAP
    assert (joined[::scale, start::scale] == images[0][1]).all()


def test_a_saved_grid_shows_each_pixel_as_a_whole_number_of_dots() -> None:
    grid = mosaic.Grid("", [], [[picture(3)]])
    figure, _ = mosaic.draw([[grid]], [], left=150)
    png = style.Drawing(figure, pd.DataFrame(), "").files()["png"]
    with Image.open(BytesIO(png)) as image:
        pixels = np.asarray(image.convert("RGB"))
    expected = mosaic.join(grid)
    top, left = mosaic.TITLE, 150
    shown = pixels[top : top + expected.shape[0], left : left + expected.shape[1]]
    assert (shown == expected).all()


def test_the_hole_of_an_input_shows_nothing_of_the_truth() -> None:
    hole = np.zeros((32, 32), bool)
    hole[:16] = True
    one, other = (mosaic.with_hole(picture(i), hole) for i in (1, 2))
    assert (one[hole] == other[hole]).all()
    assert (one[~hole] == picture(1)[~hole]).all()


def test_fixed_images_are_spread_and_never_more_than_there_are() -> None:
    assert spread(list("abcdefgh"), 4) == ["a", "c", "e", "g"]
    assert spread(["a", "b"], 6) == ["a", "b"]


def test_ranked_images_are_the_extremes_and_the_middle() -> None:
    scores = {f"i{k}": k / 10 for k in range(9)}
    assert ranked(scores) == [
        ("best", "i0"), ("best", "i1"), ("median", "i3"), ("median", "i4"),
        ("worst", "i7"), ("worst", "i8"),
    ]  # fmt: skip
    assert [i for _, i in ranked({"a": 1.0, "b": 0.0})] == ["b", "a"]


def test_plotted_numbers_are_the_scores(tree: Tree) -> None:
    data = draw(tree, "ablations").data
    data = data[data["ablation"] == "lora_rank"].set_index("method")
    assert data["value"].to_dict() == {
        "rad@reference": 0.15, "rad@lora_rank-rank_4": 0.17, "rad@lora_rank-rank_64": 0.17,
        "rad@lora_rank-all_weights": 0.17,
    }  # fmt: skip
    points = draw(tree, "quality_time").data
    assert set(points["metric"]) == {"lpips", "fd_alexnet"}
    assert points.loc[points["method"] == "rad", "seconds"].iloc[0] == pytest.approx(0.5)


def test_areas_of_the_training_masks_are_near_the_diagonal(tree: Tree) -> None:
    data = draw(tree, "mask_bank").data
    training = data[data["family"].str.startswith("training")]
    assert (training["share_smaller"] - training["area"]).abs().max() < 0.25  # 64 masks
    assert set(data["family"]) == {"training (perlin)", "box"}


def test_without_ablations_the_figure_says_so(tmp_path: Path) -> None:
    settings = make_settings(methods=["rad", "telea"], masks=["box"])
    tree = Tree(tmp_path, Pipeline(settings))
    drawing = draw(tree, "ablations")
    texts = [t.get_text() for axes in drawing.figure.axes for t in axes.texts]
    assert drawing.data.empty and "not run" in texts[0]


def test_a_figure_of_ablations_leaves_out_those_of_other_images(tree: Tree) -> None:
    """RePaint's official budget is measured on fewer; beside a line over all it says nothing."""
    assert set(draw(tree, "ablations").data["ablation"]) == {"lora_rank", "length"}


def test_without_lpips_no_image_is_the_best(tmp_path: Path) -> None:
    settings = make_settings(methods=["rad", "telea"], masks=["box"])
    changed = settings.resolve("emoji", {"evaluation.metrics": ["psnr_hole"]})
    tree = Tree(tmp_path, Pipeline(changed))
    tree.write(target_of("figure", name="qualitative_ranked"))
    drawing = draw(tree, "qualitative_ranked")
    texts = [t.get_text() for axes in drawing.figure.axes for t in axes.texts]
    assert drawing.data.empty and "`evaluation.metrics`" in texts[0]


def test_a_figure_of_ablations_says_what_was_trained(tree: Tree) -> None:
    drawing = draw(tree, "ablations")
    title, _ = (part.get_suptitle() for part in drawing.figure.subfigs)
    images = tree.pipeline.settings.training.ablation_images
    assert title.endswith(f"\nRAD trained on {images:,} images")
    ranks = drawing.data[drawing.data["ablation"] == "lora_rank"]
    assert set(ranks["images"]) == {images}


def test_quality_against_the_length_of_the_training(tree: Tree) -> None:
    data = draw(tree, "training_length").data
    settings = tree.pipeline.settings.training
    whole = settings.rad.images
    lengths = {whole / 40, whole * 2 / 5, settings.ablation_images, whole}
    assert set(data.loc[data["images"].notna(), "images"]) == lengths
    assert set(data.loc[data["images"].isna(), "method"]) == {"telea"}


def test_methods_are_told_apart_without_colour() -> None:
    methods = ["rad", "repaint", "score_sde", "mcg", "ddrm", "lama", "telea", "biharmonic"]
    assert len({printed.mark(m, i)[1] for i, m in enumerate(methods)}) == len(methods)
    unknown = [printed.mark("not_there", i) for i in range(9)]
    assert len(set(unknown)) == 9


def test_images_shown_are_the_first_of_the_split(tree: Tree) -> None:
    shown = draw(tree, "qualitative").data["image"].unique()
    assert list(shown) == ["im00", "im02", "im04", "im06", "im08", "im10"]


@pytest.mark.parametrize("kind", ["table", "figure"])
def test_every_table_and_figure_has_a_caption_that_the_report_can_show(kind: str) -> None:
    for name in names(kind):
        module = load(kind, name)
        assert len(module.CAPTION) > 80 and module.__doc__
        shown = publish_doctree(module.CAPTION, settings_overrides={"report_level": 5})
        assert not list(shown.findall(lambda node: node.tagname == "system_message"))


def test_declarations_cost_no_heavy_import() -> None:
    code = (
        "import sys; from radpipe.report import load, names\n"
        "for kind in ('table', 'figure'):\n"
        "    for name in names(kind): load(kind, name).KEYS\n"
        "heavy = ('torch.', 'cv2.', 'scipy.', 'skimage.', 'matplotlib.', 'pandas.')\n"
        "print(*(name for name in sys.modules if name.startswith(heavy)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
