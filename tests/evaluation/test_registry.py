"""Adding a metric: one file, one word, and no network knows of it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import radpipe
from radpipe import evaluation
from radpipe.evaluation import METRICS, feature_networks, info, metrics, modules
from radpipe.evaluation.cell import evaluate_cell
from radpipe.evaluation.features import NETWORKS

SOURCE = Path(radpipe.__file__).parent
NEW = '''
"""Mean absolute error of the hole."""
import numpy as np
from radpipe.evaluation.metric import PerImage, of_pixels


def mae_hole(outputs, truths, holes):
    return np.array([np.abs(o[h] - t[h].astype(float)).mean()
                     for o, t, h in zip(outputs, truths, holes)])


METRICS = (PerImage(name="mae_hole", display="MAE", unit="levels", meaning="mean absolute error",
                    build=of_pixels(mae_hole)),)
'''


@pytest.fixture
def a_new_file(tmp_path, monkeypatch):
    (tmp_path / "mae.py").write_text(NEW)
    monkeypatch.setattr(metrics, "__path__", [str(tmp_path)])
    for registry in (evaluation.METRICS, evaluation._FILES):
        for name in list(registry):
            monkeypatch.delitem(registry, name)
        monkeypatch.setitem(registry, "mae_hole", None)  # taken out again when the test ends
        del registry["mae_hole"]
    evaluation._register()
    yield
    sys.modules.pop("radpipe.evaluation.metrics.mae")


def test_a_file_is_all_that_a_metric_needs(a_new_file, setup, resampling, images, holes):
    outputs = np.where(images > 127, images - 3, images + 3).astype(np.uint8)
    ids = [str(i) for i in range(12)]
    scores = evaluate_cell(outputs, images, holes, ids, ["mae_hole"], {}, setup, resampling)
    assert scores.rows["mae_hole"]["value"] == 3
    assert modules(["mae_hole"]) == ["evaluation.metrics.mae"]


def test_two_metrics_of_one_name_are_refused(a_new_file):
    with pytest.raises(ValueError, match="mae_hole"):
        evaluation._register()


@pytest.mark.parametrize("package", ["models", "diffusion", "training", "inpainters", "stages"])
def test_no_network_depends_on_the_metrics(package):
    """Neither training nor sampling imports the room of metrics: a new one makes neither stale."""
    measuring = {"evaluate.py", "_measuring.py", "_report.py", "reference.py", "timing.py"}
    for path in (SOURCE / package).rglob("*.py"):
        if package == "stages" and path.name in measuring:
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")]
            imported = [getattr(node, "module", None) or "", *names]
            assert not any("evaluation" in name.split(".") for name in imported), path


def test_each_declaration_is_whole():
    for name, facts in METRICS.items():
        assert facts.name == name and facts.display and facts.meaning
        if facts.kind == "distribution":
            needs = NETWORKS[facts.network]
            assert facts.assets == (needs.asset,) and facts.optional == needs.optional
    inception = {name for name, facts in METRICS.items() if facts.network == "inception"}
    assert inception == {"fid", "fid_truth", "kid_inception", "kid_inception_truth"}
    assert {METRICS[n].display for n in ("fid", "kid_inception")} == {"FID", "KID"}
    assert info("seam").best == "zero" and not info("ssim_hole").lower_is_better


def test_which_networks_a_list_of_metrics_needs():
    names = ["fd_alexnet_truth", "lpips", "fd_vgg16", "kid_vgg16", "seam"]
    assert feature_networks(names) == ["alexnet", "vgg16"]
    assert feature_networks(names, to_truth=True) == ["alexnet"]
    assert feature_networks(names, to_truth=False) == ["vgg16"]


def test_the_registry_is_read_without_heavy_packages():
    heavy = ("torch._C", "scipy.linalg", "skimage.metrics", "pandas.core", "torchvision.models")
    code = (
        f"import sys, radpipe.evaluation; sys.exit(str([m for m in {heavy} if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
