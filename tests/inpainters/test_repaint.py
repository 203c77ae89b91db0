"""RePaint: its path, and what the model is shown on it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from radpipe.diffusion.levels import spaced_levels
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.inpainters.repaint import resampling_path

ORACLE = json.loads((Path(__file__).parents[1] / "oracle/repaint_schedule.json").read_text())


@pytest.mark.parametrize("key", ORACLE)
def test_path_is_the_oracles(key: str) -> None:
    wanted = ORACLE[key]
    steps, jump, resamplings = (int(part.split("=")[1]) for part in key.split(","))
    path = resampling_path(steps, jump, resamplings)
    times = wanted["times"]
    cut = times.index("...") if "..." in times else len(times)
    assert path[:cut] == times[:cut]
    assert path[len(path) - len(times[cut + 1 :]) :] == times[cut + 1 :]
    assert len(path) - 1 == wanted["transitions"]
    assert sum(b < a for a, b in pairwise(path)) == wanted["model_calls"]
    assert sum(b > a for a, b in pairwise(path)) == wanted["renoise_steps"]


@pytest.mark.parametrize("resamplings", [1, 2, 5])
def test_without_jumps_the_path_is_plain_and_each_more_adds_as_many_calls(resamplings: int) -> None:
    plain = resampling_path(20, 5, 1)
    path = resampling_path(20, 5, resamplings)
    assert plain == list(range(19, -2, -1))
    assert len(path) == len(plain) + 2 * (resamplings - 1) * 5 * 3  # stretches 0-5, 5-10, 10-15


def test_every_call_sees_the_known_part_at_its_own_level(toy: SimpleNamespace) -> None:
    """Without noise, the known part of what the model sees is exactly sqrt(abar_t) y."""
    model = toy.Mixing()
    method = toy.make("repaint", model)
    hole = torch.from_numpy(toy.corner())[None, None]
    known = torch.rand(1, 3, 16, 16) * 2 - 1
    out = method.inpaint(known.masked_fill(hole, 0.0), hole, toy.ZeroNoise([0]))
    schedule = TwoPhaseSchedule()
    rising = spaced_levels(schedule, 6, "linspace")[::-1]
    path = resampling_path(6, 2, 2)
    called = [rising[a + 1] for a, b in pairwise(path) if b < a]
    assert [t for t, _ in model.seen] == called
    outside = ~hole.expand_as(known)
    for t, x in model.seen:
        level = schedule.alpha_bar_scalar[t].sqrt().float()
        torch.testing.assert_close(x[outside], level * known[outside])
    assert torch.equal(out[outside], known[outside])


def test_the_known_part_is_noised_afresh_for_every_call(toy: SimpleNamespace) -> None:
    """Over many images its noise has the level's variance and no correlation between calls."""
    model = toy.Mixing()
    method = toy.make("repaint", model)
    hole = torch.from_numpy(toy.corner())[None, None].expand(64, -1, -1, -1)
    known = torch.zeros(64, 3, 16, 16)
    method.inpaint(known, hole, PerImageNoise(range(64)))
    outside = ~hole.expand_as(known)
    noises = []
    for t, x in model.seen:
        variance = 1 - TwoPhaseSchedule().alpha_bar_scalar[t].item()
        noises.append(x[outside] / variance**0.5)
    count = noises[0].numel()
    correlation = torch.corrcoef(torch.stack(noises))
    off = correlation - torch.eye(len(noises))
    assert off.abs().max() < 5 / count**0.5
    for noise in noises:
        assert abs(noise.var().item() - 1) < 5 * (2 / count) ** 0.5


def test_a_jump_is_one_forward_step_with_the_beta_of_the_level_it_goes_to() -> None:
    """Going up from index i to i + 1 of the respaced chain: x sqrt(abar_i+1 / abar_i) + noise."""
    from radpipe.diffusion.levels import LevelPath
    from radpipe.inpainters.repaint import Injection

    schedule = TwoPhaseSchedule()
    low, high = LevelPath(schedule, [401, 405])
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    beta = 1 - (1 - betas[401:405]).prod().item()  # levels 402..405
    x = torch.ones(1, 1, 200, 200)
    rule = Injection(x, torch.ones(1, 1, 200, 200, dtype=torch.bool))
    out = rule.renoise(x, low, high, PerImageNoise([0]))
    assert out.mean().item() == pytest.approx((1 - beta) ** 0.5, abs=5 * (beta / 40000) ** 0.5)
    assert out.var().item() == pytest.approx(beta, rel=5 * (2 / 40000) ** 0.5)


def test_the_official_schedule_runs(toy: SimpleNamespace) -> None:
    """2,410 model calls, counted while running (images of 2x2 pixels)."""
    method = toy.make("repaint", small=False)
    hole = torch.tensor([[[[True, False], [False, False]]]])
    method.inpaint(torch.zeros(1, 3, 2, 2), hole, PerImageNoise([0]))
    assert method.model.tally.images == 2410
