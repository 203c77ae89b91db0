"""From levels to time inputs: every mode, both phases."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.diffusion.solvers import Level, for_hole
from radpipe.models.denoiser import AdmDenoiser, time_input
from radpipe.models.noise_embedding import TimeMap

SCHEDULE = TwoPhaseSchedule()
SCALAR = torch.ones(1, 1, 1, 1, dtype=torch.float64)


def level(t, m):
    return Level(t, SCHEDULE.alpha_bar(t, m))


class Spy(nn.Module):
    """Records its time input."""

    def __init__(self, channels=6):
        super().__init__()
        self.channels = channels

    def forward(self, x, time):
        self.time = time
        return (
            torch.arange(self.channels, dtype=x.dtype)
            .view(1, -1, 1, 1)
            .expand(x.shape[0], -1, *x.shape[2:])
        )


def per_pixel(time: TimeMap):
    """The time of every pixel `[B, 1, H, W]`."""
    if time.weights is None:
        return time.times
    return (time.times[..., None, None] * time.weights).sum(1, keepdim=True)


@pytest.mark.parametrize("t", [1, 10, 357, 1000])
def test_scalar_mode_gives_adms_index(batch, t):
    x, _, _ = batch
    spy = Spy()
    AdmDenoiser(spy, SCHEDULE)(x, level(t, SCALAR))
    assert torch.equal(spy.time, torch.full((3,), t - 1.0))


@pytest.mark.parametrize("bound", [True, False])
@pytest.mark.parametrize("t", [1, 10, 357, 1000])
def test_spatial_mode_holes_at_adms_index_known_at_minus_one(batch, t, bound):
    x, hole, _ = batch
    spy = Spy()
    denoiser = AdmDenoiser(spy, SCHEDULE, "spatial")
    if bound:
        denoiser = for_hole(denoiser, hole)
    denoiser(x, level(t, hole))
    wanted = torch.where(hole, t - 1.0, -1.0).double()
    assert torch.equal(per_pixel(spy.time).double(), wanted)


def test_spatial_mode_in_phase_2(batch):
    """The hole stays at its last level while the known part gets noisy."""
    _, hole, _ = batch
    t = 1400
    wanted = torch.where(hole, 999.0, SCHEDULE.network_time(SCHEDULE.b_bar(t, hole)))
    for given in (hole, None):
        got = per_pixel(time_input("spatial", SCHEDULE, SCHEDULE.alpha_bar(t, hole), given))
        torch.testing.assert_close(got, wanted.double(), rtol=0, atol=1e-6)
    assert float(wanted[2].min()) == pytest.approx(399)


def test_low_rank_time_is_the_dense_time(small_net, batch):
    x, hole, _ = batch
    with torch.no_grad():
        for t in (250, 1800):
            outputs = [
                AdmDenoiser(small_net, SCHEDULE, mode)(x, level(t, hole))
                for mode in ("spatial", "dense")
            ]
            torch.testing.assert_close(outputs[0].eps, outputs[1].eps, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(outputs[0].v, outputs[1].v, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["spatial", "dense", "global"])
def test_uniform_map_leaves_the_pretrained_prediction(small_net, batch, mode):
    """A map that is noisy everywhere gives what ADM itself predicts at index t - 1."""
    x, hole, _ = batch
    with torch.no_grad():
        for t in (1, 500, 1000):
            everywhere = level(t, torch.ones_like(hole))
            ours = AdmDenoiser(small_net, SCHEDULE, mode)(x, everywhere)
            adm = small_net(x, torch.full((3,), t - 1))
            difference = (torch.cat([ours.eps, ours.v], 1) - adm).abs().max()
            assert difference <= (1e-5 if mode == "dense" else 0)


def test_dense_mode_takes_soft_masks_and_low_rank_ones_refuse_them(batch):
    x, _, _ = batch
    soft = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    spy = Spy()
    AdmDenoiser(spy, SCHEDULE, "dense")(x, level(300, soft))
    wanted = SCHEDULE.network_time(SCHEDULE.b_bar(300, soft))
    torch.testing.assert_close(spy.time.times, wanted, rtol=0, atol=1e-6)
    for mode in ("spatial", "raw"):
        with pytest.raises(ValueError, match="'dense'"):
            AdmDenoiser(spy, SCHEDULE, mode)(x, level(300, soft))


def test_global_mode_tells_one_time_per_image(batch):
    x, hole, _ = batch
    spy = Spy()
    AdmDenoiser(spy, SCHEDULE, "global").with_hole(hole)(x, level(42, hole))
    assert spy.time.tolist() == [41, 41, -1]  # the third image has no hole: clean everywhere


def test_global_mode_tells_the_level_in_both_phases(batch):
    """Phase 2 moves the known pixels; a time that stood still would not tell its levels apart."""
    _, hole, _ = batch
    seen = []
    for t in (1001, 1400, 1999):
        time = time_input("global", SCHEDULE, SCHEDULE.alpha_bar(t, hole), hole)
        known = SCHEDULE.network_time(SCHEDULE.b_bar(t, hole)).amin((1, 2, 3))
        torch.testing.assert_close(time, known.double(), rtol=0, atol=1e-6)
        seen.append(float(time[2]))
    assert seen == sorted(seen)
    assert seen[0] < 1 and seen[2] > 990
    everywhere = SCHEDULE.alpha_bar(1400, torch.ones_like(hole))
    assert time_input("global", SCHEDULE, everywhere).tolist() == pytest.approx([999.0] * 3)


def test_raw_mode_gives_the_noise_variance_itself(batch):
    x, hole, _ = batch
    spy = Spy()
    AdmDenoiser(spy, SCHEDULE, "raw")(x, level(700, hole))
    assert spy.time.weights is not None
    wanted = SCHEDULE.b_bar(700, hole)
    torch.testing.assert_close(per_pixel(spy.time), wanted, rtol=0, atol=1e-12)


def test_scalar_level_serves_every_mode(batch):
    x, _, _ = batch
    for mode in ("spatial", "dense"):
        spy = Spy()
        AdmDenoiser(spy, SCHEDULE, mode)(x, level(9, SCALAR))
        assert per_pixel(spy.time).shape == (3, 1, 16, 16)
        assert torch.equal(per_pixel(spy.time), torch.full((3, 1, 16, 16), 8.0).double())


def test_output_is_split(batch):
    x, _, _ = batch
    pred = AdmDenoiser(Spy(), SCHEDULE)(x, level(9, SCALAR))
    assert pred.eps[0, :, 0, 0].tolist() == [0, 1, 2]
    assert pred.v is not None
    assert pred.v[0, :, 0, 0].tolist() == [3, 4, 5]
    assert AdmDenoiser(Spy(3), SCHEDULE)(x, level(9, SCALAR)).v is None


def test_autocast_gives_float32_close_to_float32(small_net, batch):
    x, hole, _ = batch
    with torch.no_grad():
        full = AdmDenoiser(small_net, SCHEDULE, "spatial")(x, level(500, hole))
        half = AdmDenoiser(small_net, SCHEDULE, "spatial", torch.bfloat16)(x, level(500, hole))
    assert half.eps.dtype == half.v.dtype == torch.float32
    assert not torch.equal(half.eps, full.eps)
    assert (half.eps - full.eps).abs().max() < 0.05 * full.eps.abs().max()


def test_gradients_reach_the_image(small_net, batch):
    """MCG differentiates through the denoiser."""
    x, _, _ = batch
    x = x.requires_grad_()
    AdmDenoiser(small_net, SCHEDULE)(x, level(500, SCALAR)).eps.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().max() > 0


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="unknown mode 'spacial'"):
        AdmDenoiser(Spy(), SCHEDULE, "spacial")
