"""What every file of inpainters/ must keep, whatever its method; a new file is tested by being."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from radpipe.errors import UserError
from radpipe.inpainters import load
from radpipe.inpainters.base import run_batch
from radpipe.plugins import names as plugins
from radpipe.section import section

METHODS = plugins("inpainters")
RANDOM = [name for name in METHODS if load(name).requires in ("rad", "base")]
CONTINUING = ("telea", "biharmonic")  # they need known pixels to go on from
SEEDS = list(range(100, 108))
PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.mark.parametrize("name", METHODS)
def test_known_pixels_are_the_inputs_and_the_hole_is_filled(
    toy: SimpleNamespace, name: str, images: np.ndarray, holes: np.ndarray
) -> None:
    out = run_batch(toy.make(name), images, holes, SEEDS).images
    assert np.array_equal(out[~holes], images[~holes])
    zeroed = np.where(holes[..., None], np.uint8(128), images)
    assert (out[holes] != zeroed[holes]).mean() > 0.5


@pytest.mark.parametrize("name", METHODS)
def test_the_truth_in_the_hole_is_never_seen(
    toy: SimpleNamespace, name: str, images: np.ndarray, holes: np.ndarray
) -> None:
    other = np.where(holes[..., None], 255 - images, images)
    first, second = (run_batch(toy.make(name), i, holes, SEEDS).images for i in (images, other))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", METHODS)
def test_what_is_known_is_used(
    toy: SimpleNamespace, name: str, images: np.ndarray, holes: np.ndarray
) -> None:
    """The other polarity would change nothing here: its known part is our hole."""
    other = np.where(holes[..., None], images, 255 - images)
    first, second = (run_batch(toy.make(name), i, holes, SEEDS).images for i in (images, other))
    assert not np.array_equal(first[holes], second[holes])


@pytest.mark.parametrize("name", METHODS)
def test_batches_of_one_and_eight_agree(
    toy: SimpleNamespace, name: str, images: np.ndarray, holes: np.ndarray
) -> None:
    holes = np.stack([np.roll(hole, i, axis=0) for i, hole in enumerate(holes)])
    together = run_batch(toy.make(name), images, holes, SEEDS).images
    for i, seed in enumerate(SEEDS):
        alone = run_batch(toy.make(name), images[i : i + 1], holes[i : i + 1], [seed]).images
        assert np.array_equal(alone[0], together[i])


@pytest.mark.parametrize("name", METHODS)
def test_a_hole_of_one_pixel_none_and_all(
    toy: SimpleNamespace, name: str, images: np.ndarray
) -> None:
    none = np.zeros((8, 16, 16), dtype=bool)
    assert np.array_equal(run_batch(toy.make(name), images, none, SEEDS).images, images)
    for corner in ((0, 0), (7, 15)):
        one = none.copy()
        one[:, corner[0], corner[1]] = True
        out = run_batch(toy.make(name), images, one, SEEDS).images
        assert np.array_equal(out[~one], images[~one])
    whole = none.copy()
    whole[3] = True
    if name in CONTINUING:
        with pytest.raises(UserError, match="all white"):
            run_batch(toy.make(name), images, whole, SEEDS)
    else:
        out = run_batch(toy.make(name), images, whole, SEEDS).images
        assert np.array_equal(out[~whole], images[~whole])


@pytest.mark.parametrize("name", RANDOM)
def test_the_seed_matters_in_the_hole(
    toy: SimpleNamespace, name: str, images: np.ndarray, holes: np.ndarray
) -> None:
    same = np.stack([images[0]] * 8)
    out = run_batch(toy.make(name), same, holes, SEEDS).images
    assert not np.array_equal(out[0][holes[0]], out[1][holes[0]])


@pytest.mark.parametrize("name", METHODS)
def test_counted_evaluations_are_the_planned_and_each_is_reported(
    toy: SimpleNamespace, name: str, images: np.ndarray, holes: np.ndarray
) -> None:
    steps: list[int] = []
    method = toy.make(name)
    result = run_batch(method, images, holes, SEEDS, on_step=lambda: steps.append(1))
    assert result.evaluations == method.planned_evaluations() == len(steps)


@pytest.mark.parametrize(
    ("name", "evaluations"),
    [("repaint", 2410), ("score_sde", 1000), ("mcg", 1000), ("ddrm", 20), ("lama", 1)],
)
def test_defaults_are_the_official_budgets(
    toy: SimpleNamespace, name: str, evaluations: int
) -> None:
    assert toy.make(name, small=False).planned_evaluations() == evaluations


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_it_is(name: str) -> None:
    method = load(name)
    assert "19" in method.citation or "20" in method.citation  # a year
    assert method.label and method.rule
    assert re.fullmatch("#[0-9A-F]{6}", method.colour)
    assert all(field.description for field in method.Settings.model_fields.values())


def test_methods_are_told_apart_in_figures() -> None:
    methods = [load(name) for name in METHODS]
    for looks in ("label", "colour", "marker"):
        given = [value for m in methods if (value := getattr(m, looks))]
        assert len(given) == len(set(given))


@pytest.mark.parametrize("name", METHODS)
def test_params_yaml_lists_every_setting(name: str) -> None:
    listed = yaml.safe_load(PARAMS.read_text())["inpainters"].get(name, {})
    assert set(listed) == set(load(name).Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "settings", "key"),
    [
        ("rad", {"steps": 600}, "inpainters.rad.spacing"),
        ("rad", {"steps": 600, "spacing": "leading"}, "inpainters.rad.spacing"),
        ("ddrm", {"steps": 400}, "inpainters.ddrm.steps"),
    ],
)
def test_steps_that_leave_out_the_noise_are_refused_when_read(
    name: str, settings: dict[str, object], key: str
) -> None:
    with pytest.raises(UserError, match="leading") as refused:
        section(load(name).Settings, settings, f"inpainters.{name}")
    assert key in refused.value.where
    section(load("rad").Settings, {"steps": 600, "spacing": "trailing"}, "inpainters.rad")


@pytest.mark.parametrize(("name", "constant", "ramp"), [("telea", 3, 16), ("biharmonic", 0, 0)])
def test_classical_methods_continue_smooth_images(
    toy: SimpleNamespace, name: str, constant: int, ramp: int
) -> None:
    """Largest error in 8-bit levels: a linear ramp solves the biharmonic equation; Telea in
    OpenCV rounds at every pixel it fills, and averages where the biharmonic surface slopes."""
    flat = np.full((16, 16, 3), 77, dtype=np.uint8)
    slope = np.broadcast_to(np.arange(16, dtype=np.uint8)[None, :, None] * 8 + 60, flat.shape)
    images = np.stack([flat, slope])
    holes = np.zeros((2, 16, 16), dtype=bool)
    holes[:, 6:10, 6:10] = True
    out = run_batch(toy.make(name), images, holes, [0, 1]).images
    errors = np.abs(out.astype(int) - images).max(axis=(1, 2, 3))
    assert errors[0] <= constant
    assert errors[1] <= ramp
