from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from radpipe.evaluation.image_metrics import PsnrHole, PsnrKnown, SsimHole, hole_area
from radpipe.evaluation.metrics import Setup, to_float
from radpipe.evaluation.seams import Seam, gradient_jump

SETUP = Setup({}, cache=None)  # type: ignore[arg-type]  # pixel metrics take nothing from it


def tensors(outputs, truths, holes):
    return to_float(outputs), to_float(truths), torch.from_numpy(holes)[:, None]


def test_hole_area(holes):
    assert hole_area(holes) == pytest.approx(144 / 1024)


def test_each_psnr_sees_its_own_region(images, holes):
    inside, outside = images // 2 + 20, images // 2 + 20
    inside, outside = inside.copy(), outside.copy()
    truths = images // 2 + 20
    inside[holes] += 10
    outside[~holes] += 10
    # an error of 10 levels everywhere in the region
    expected = 20 * math.log10(255 / 10)
    known, hole = PsnrKnown(SETUP), PsnrHole(SETUP)
    assert known.score(*tensors(inside, truths, holes)).tolist() == [math.inf] * 12
    assert hole.score(*tensors(inside, truths, holes)).numpy() == pytest.approx(expected, rel=1e-5)
    assert known.score(*tensors(outside, truths, holes)).numpy() == pytest.approx(
        expected, rel=1e-5
    )
    assert hole.score(*tensors(outside, truths, holes)).numpy() == pytest.approx(58.92, abs=0.01)


def test_one_changed_known_pixel_is_seen(images, holes):
    changed = images.copy()
    changed[3, 0, 0, 1] ^= 1
    scores = PsnrKnown(SETUP).score(*tensors(changed, images, holes))
    assert torch.isfinite(scores).tolist() == [i == 3 for i in range(12)]


def test_nothing_to_measure_is_nan(images):
    everything, nothing = np.ones((12, 32, 32), bool), np.zeros((12, 32, 32), bool)
    assert PsnrKnown(SETUP).score(*tensors(images, images, everything)).isnan().all()
    for metric in (PsnrHole(SETUP), SsimHole(SETUP), Seam(SETUP)):
        assert metric.score(*tensors(images, images, nothing)).isnan().all()


def test_ssim_sees_the_hole_and_its_surroundings_only(images, holes):
    ssim = SsimHole(SETUP)
    assert ssim.score(*tensors(images, images, holes)).numpy() == pytest.approx(1)
    far, near = images.copy(), images.copy()
    far[:, :, -6:] ^= 255  # more than half a window from the hole's last column
    near[holes] ^= 255
    assert ssim.score(*tensors(far, images, holes)).numpy() == pytest.approx(1)
    assert (ssim.score(*tensors(near, images, holes)) < 0.6).all()


def test_a_ramp_has_no_seam_and_a_step_its_height(holes):
    ramp = np.broadcast_to(np.arange(32)[:, None, None] * 3, (12, 32, 32, 3)).astype(np.uint8)
    hole = torch.from_numpy(holes)[:, None]
    assert gradient_jump(to_float(ramp), hole).abs().max() < 1e-4
    stepped = ramp.copy()
    stepped[holes] += 9
    assert gradient_jump(to_float(stepped), hole).numpy() == pytest.approx(9, abs=1e-4)
    assert Seam(SETUP).score(*tensors(stepped, ramp, holes)).numpy() == pytest.approx(9, abs=1e-4)


def test_a_seam_is_symmetric(images, holes):
    outputs = images.copy()
    outputs[holes] = outputs[holes] // 2
    plain = Seam(SETUP).score(*tensors(outputs, images, holes))
    turned = [np.rot90(x, axes=(1, 2)).copy() for x in (outputs, images, holes)]
    torch.testing.assert_close(Seam(SETUP).score(*tensors(*turned)), plain)
    swapped = Seam(SETUP).score(*tensors(outputs, images, ~holes))
    torch.testing.assert_close(swapped, plain)
