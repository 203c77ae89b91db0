"""MCG and Score-SDE: the replacement, the gradient, and flat memory."""

from __future__ import annotations

import weakref
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from radpipe.diffusion.levels import Level, LevelPath
from radpipe.diffusion.process import x0_from_eps
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.diffusion.solvers import Prediction
from radpipe.inpainters.mcg import ManifoldGradient


def level(t: int = 300) -> Level:
    return LevelPath(TwoPhaseSchedule(), [t])[0]


def hole_of(toy: SimpleNamespace) -> Tensor:
    return torch.from_numpy(toy.corner(8))[None, None]


def test_replacement_shows_the_model_the_known_part_at_every_level_but_the_first(
    toy: SimpleNamespace,
) -> None:
    hole = hole_of(toy)
    known = torch.rand(1, 3, 8, 8) * 2 - 1
    outside = ~hole.expand_as(known)
    for name in ("score_sde", "mcg"):
        model = toy.Mixing()
        out = toy.make(name, model).inpaint(known, hole, toy.ZeroNoise([0]))
        assert model.seen[0][0] == 1000
        for t, x in model.seen[1:]:
            root = TwoPhaseSchedule().alpha_bar_scalar[t].sqrt().float()
            torch.testing.assert_close(x[outside], root * known[outside])
        assert torch.equal(out[outside], known[outside])


def test_the_gradient_is_that_of_the_norm_of_the_known_residual(toy: SimpleNamespace) -> None:
    """Against central differences in float64, for two images with their own norms."""
    torch.manual_seed(0)
    hole, now = hole_of(toy).expand(2, -1, -1, -1), level()
    known = torch.rand(2, 3, 8, 8, dtype=torch.float64) * 2 - 1
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    model = toy.Mixing()
    rule = ManifoldGradient(known, hole, step=1.0, clip=False)
    rule.denoise(model, x, now)

    def norms(x: Tensor) -> Tensor:
        x0 = x0_from_eps(x, model(x, now).eps, now.alpha_bar)
        return ((known - x0) * ~hole).square().sum(dim=(1, 2, 3)).sqrt()

    for index in [(0, 0, 0), (1, 4, 1), (2, 5, 5)]:
        bump = torch.zeros_like(x)
        bump[(slice(None), *index)] = 1e-5
        slope = (norms(x + bump) - norms(x - bump)) / 2e-5
        torch.testing.assert_close(
            rule.gradient[(slice(None), *index)], slope, rtol=1e-6, atol=1e-8
        )


def test_the_step_moves_the_hole_only_and_downhill(toy: SimpleNamespace) -> None:
    hole = hole_of(toy)
    now, next = LevelPath(TwoPhaseSchedule(), [300, 200])
    known, x = torch.rand(1, 3, 8, 8), torch.randn(1, 3, 8, 8)
    noise = toy.ZeroNoise([0])
    results = []
    for step in (0.0, 1.0):
        rule = ManifoldGradient(known, hole, step, clip=False)
        rule.denoise(toy.Mixing(), x, now)
        results.append((rule.after(x, next, noise), rule.gradient))
    (plain, gradient), (moved, _) = results
    expected = torch.where(hole, -gradient, torch.zeros_like(gradient))
    torch.testing.assert_close(moved - plain, expected, atol=1e-6, rtol=1e-5)
    assert expected[hole.expand_as(expected)].abs().max() > 1e-3


def test_clipped_pixels_pull_at_nothing(toy: SimpleNamespace) -> None:
    """Where all of x0hat is clipped, the clipped image does not move with x."""
    hole, now = hole_of(toy), level()
    x = 50 + torch.rand(1, 3, 8, 8)
    for clip, is_zero in ((True, True), (False, False)):
        rule = ManifoldGradient(torch.zeros_like(x), hole, 1.0, clip)
        rule.denoise(toy.Mixing(), x, now)
        assert bool((rule.gradient == 0).all()) is is_zero


def test_a_perfect_fit_has_a_finite_gradient(toy: SimpleNamespace) -> None:
    """The norm has a kink at 0; its gradient there must be 0, not NaN."""
    hole, now = hole_of(toy), level()
    x = torch.zeros(1, 3, 8, 8)
    rule = ManifoldGradient(torch.zeros_like(x), hole, 1.0, clip=False)
    rule.denoise(lambda x, level: Prediction(eps=0 * x), x, now)
    assert torch.equal(rule.gradient, torch.zeros_like(x))


class Watched(torch.autograd.Function):
    """The identity, whose place in the graph can be watched."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


def test_no_graph_outlives_its_step(toy: SimpleNamespace) -> None:
    """At most one step's graph is alive at any evaluation: memory is flat over the steps."""
    graphs: list[weakref.ref[Any]] = []
    alive: list[int] = []
    mixing = toy.Mixing()

    def model(x: Tensor, level: Level) -> Prediction:
        alive.append(sum(graph() is not None for graph in graphs))
        watched = Watched.apply(x)
        graphs.append(weakref.ref(watched.grad_fn))
        return mixing(watched, level)

    out = toy.make("mcg", model).inpaint(torch.rand(1, 3, 8, 8), hole_of(toy), toy.ZeroNoise([0]))
    assert alive == [0] * 6
    assert not out.requires_grad
