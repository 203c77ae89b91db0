from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from radpipe.diffusion.levels import Level, LevelPath, spaced_levels
from radpipe.diffusion.noise import PerImageNoise
from radpipe.diffusion.process import posterior, x0_from_eps
from radpipe.diffusion.reverse import KnownRegion, reverse
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.diffusion.solvers import Ancestral, Ddim, DpmSolver2M, Prediction, Update

S = TwoPhaseSchedule()
RULES: dict[str, Callable[[], Update]] = {
    "ancestral": lambda: Ancestral(clip=False),
    "ddim": lambda: Ddim(eta=0.0, clip=False),
    "ddim, eta 0.5": lambda: Ddim(eta=0.5, clip=False),
    "dpmpp_2m": lambda: DpmSolver2M(clip=False),
}
RANDOM = ("ancestral", "ddim, eta 0.5")


class Wavy:
    """A denoiser with learned variance that mixes neighbours; records what it is given."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, Tensor]] = []

    def __call__(self, x: Tensor, level: Level) -> Prediction:
        self.seen.append((level.t, x.clone()))
        return Prediction(torch.tanh(x + x.roll(1, -1)), torch.tanh(x.roll(1, -2)))


def noise(batch: int = 1) -> PerImageNoise:
    return PerImageNoise(range(batch))


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def scalar_levels(*times: int) -> LevelPath:
    return LevelPath(S, times)


# Gaussian data: the law of the samples, exactly


def path(gaussian, steps: int, last: int = 20) -> list[Level]:
    """Equal strides in log-SNR from level T to a level that is still noisy, for RAD's hole."""
    ends = S.alpha_bar_scalar[[1000, last]]
    log_snr = torch.linspace(*(ends / (1 - ends)).log().tolist(), steps + 1, dtype=torch.float64)
    hole = gaussian.hole[None]
    one = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    return [Level(steps - i, torch.where(hole, s.sigmoid(), one)) for i, s in enumerate(log_snr)]


def errors(gaussian, law, rule: str, steps: int) -> tuple[float, float, float]:
    """Errors of mean, covariance and transport at the end of `path`, started from the truth.

    Exact marginal of the hole at alpha_bar a: N(sqrt(a) mu, V_a), V_a = a cov + (1 - a) I, with
    mu, cov the closed-form conditional. Exact flow of the probability-flow ODE between two
    levels: V_end^(1/2) V_start^(-1/2), as the V share their eigenvectors.
    """
    levels = path(gaussian, steps)
    mu, cov = gaussian.answer
    hole = gaussian.hole.flatten()
    start, end = (float(level.alpha_bar.min()) for level in (levels[0], levels[-1]))
    values, vectors = torch.linalg.eigh(cov)
    roots = [(a * values + 1 - a).sqrt() for a in (start, end)]
    first = vectors @ torch.diag(roots[0]) @ vectors.T

    def sample(noise: PerImageNoise, batch: int) -> Tensor:
        x = gaussian.known.expand(batch, 1, 2, 4).clone()
        z = noise.normal(x).flatten(1)[:, hole]
        x.flatten(1)[:, hole] = math.sqrt(start) * mu + z @ first
        return reverse(gaussian.denoiser, x, levels, RULES[rule](), KnownRegion(), noise)

    found = law(sample, 1 + (steps if rule in RANDOM else 0), 8)
    gain = found.gain[hole]
    wanted = vectors @ torch.diag(roots[1] ** 2) @ vectors.T
    flow = vectors @ torch.diag(roots[1]) @ vectors.T
    return (
        float((found.offset[hole] - math.sqrt(end) * mu).norm()),
        float((gain @ gain.T - wanted).norm() / wanted.norm()),
        float((gain[:, :8][:, hole] - flow).norm() / flow.norm()),
    )


@pytest.mark.parametrize(
    ("rule", "order"), [("ancestral", 1), ("ddim", 1), ("ddim, eta 0.5", 1), ("dpmpp_2m", 2)]
)
def test_covariance_error_falls_at_the_solvers_order(gaussian, law, rule: str, order: int) -> None:
    coarse, middle, fine = (errors(gaussian, law, rule, steps) for steps in (40, 80, 160))
    for mean, _, _ in (coarse, middle, fine):
        assert mean < 1e-12  # exact at any number of steps, being affine around the right centre
    assert math.log2(middle[1] / fine[1]) == pytest.approx(order, abs=0.1)
    assert coarse[1] > middle[1] > fine[1]


@pytest.mark.parametrize(("rule", "order"), [("ddim", 1), ("dpmpp_2m", 2)])
def test_deterministic_solvers_approach_the_exact_flow(gaussian, law, rule, order) -> None:
    coarse, fine = (errors(gaussian, law, rule, steps)[2] for steps in (80, 160))
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.1)
    assert fine < 0.02


def test_order_two_wins_at_few_steps(gaussian, law) -> None:
    few = {rule: errors(gaussian, law, rule, 20)[1] for rule in RULES}
    assert few["dpmpp_2m"] < 0.1 * few["ddim"]
    assert few["ddim"] < few["ddim, eta 0.5"] < few["ancestral"]


# Single steps


def test_ancestral_noise_spans_the_learned_range(law) -> None:
    now, after = scalar_levels(500, 400)
    q = posterior(now.alpha_bar, after.alpha_bar)
    wanted = {
        None: q.variance,
        -1.0: q.variance,
        1.0: q.beta,
        0.0: (q.variance * q.beta).sqrt(),
    }
    for v, variance in wanted.items():

        def sample(noise: PerImageNoise, batch: int, v: float | None = v) -> Tensor:
            x = torch.zeros(batch, 1, 1, 1, dtype=torch.float64)
            pred = Prediction(x, None if v is None else torch.full_like(x, v))
            return Ancestral().step(x, pred, now, after, noise)

        assert float(law(sample, 1, 1).cov) == pytest.approx(float(variance), rel=1e-9)


def test_ddim_eta_one_is_ancestral_with_the_posteriors_variance() -> None:
    now, after = scalar_levels(700, 630)
    x, pred = draw(2, 3, 4, 4), Prediction(draw(2, 3, 4, 4, seed=1))
    for clip in (True, False):
        ddim = Ddim(1.0, clip).step(x, pred, now, after, noise(2))
        assert torch.allclose(ddim, Ancestral(clip).step(x, pred, now, after, noise(2)))


def test_first_step_of_dpm_solver_is_ddim() -> None:
    now, after = scalar_levels(700, 630)
    x, pred = draw(2, 3, 4, 4), Prediction(draw(2, 3, 4, 4, seed=1))
    dpm = DpmSolver2M(False).step(x, pred, now, after, noise(2))
    assert torch.allclose(dpm, Ddim(0.0, False).step(x, pred, now, after, noise(2)))


def test_dpm_solver_starts_anew_after_a_jump() -> None:
    x, pred = draw(1, 3, 4, 4), Prediction(draw(1, 3, 4, 4, seed=1))
    rule = DpmSolver2M(False)
    a, b, c = scalar_levels(700, 600, 500)
    rule.step(x, Prediction(draw(1, 3, 4, 4, seed=2)), a, b, noise())
    jumped = rule.step(x, pred, a, b, noise())  # back at 700
    assert torch.equal(jumped, DpmSolver2M(False).step(x, pred, a, b, noise()))
    second = rule.step(x, Prediction(draw(1, 3, 4, 4, seed=2)), b, c, noise())
    fresh = DpmSolver2M(False).step(x, Prediction(draw(1, 3, 4, 4, seed=2)), b, c, noise())
    assert not torch.allclose(second, fresh)


@pytest.mark.parametrize("rule", [Ancestral, Ddim, DpmSolver2M])
@pytest.mark.parametrize("clip", [True, False])
def test_last_step_lands_on_the_predicted_image(rule, clip: bool) -> None:
    x, pred = draw(1, 3, 4, 4), Prediction(draw(1, 3, 4, 4, seed=1), draw(1, 3, 4, 4, seed=2))
    levels = scalar_levels(30, 10, 0)
    update = rule(clip=clip)
    middle = update.step(x, pred, levels[0], levels[1], noise())
    out = update.step(middle, pred, levels[1], levels[2], noise())
    assert torch.allclose(out, x0_from_eps(middle, pred.eps, levels[1].alpha_bar, clip))


# The loop


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace", "logsnr"])
def test_known_pixels_keep_their_bits_at_every_step(rule: str, spacing) -> None:
    hole = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.5
    hole[1] = False
    x = draw(2, 3, 4, 4).float() * 2  # beyond [-1, 1] too: clipping must not touch them
    x[:, :, 0, 0], hole[:, :, 0, 0] = -0.0, False
    net = Wavy()
    times = spaced_levels(S, 12, spacing)
    out = reverse(net, x, LevelPath(S, times, hole), RULES[rule](), KnownRegion(), noise(2))
    known = ~hole.expand_as(x)
    assert len(net.seen) == 12
    for _, state in [*net.seen, (0, out)]:
        assert torch.equal(state.view(torch.int32)[known], x.view(torch.int32)[known])
    assert torch.isfinite(out).all()
    assert not torch.equal(out[0], x[0])


def test_path_may_go_up_and_hooks_run_in_order() -> None:
    log: list[str] = []

    class Rule(KnownRegion):
        def before(self, x, now, noise):
            log.append(f"before {now.t}")
            return x

        def denoise(self, denoiser, x, now):
            log.append(f"denoise {now.t}")
            assert not torch.is_grad_enabled()
            return super().denoise(denoiser, x, now)

        def after(self, x, now, noise):
            log.append(f"after {now.t}")
            return x

        def renoise(self, x, now, next, noise):
            log.append(f"up {now.t} {next.t}")
            return super().renoise(x, now, next, noise)

        def finish(self, x):
            log.append("finish")
            return x

    reverse(Wavy(), draw(1, 3, 2, 2), scalar_levels(20, 10, 20, 0), Ddim(), Rule(), noise())
    assert log == [
        *("before 20", "denoise 20", "after 10", "up 10 20"),
        *("before 20", "denoise 20", "after 0", "finish"),
    ]


def test_renoising_keeps_the_marginal(law) -> None:
    low, high = scalar_levels(100, 400)
    a = float(low.alpha_bar)

    def sample(noise: PerImageNoise, batch: int) -> Tensor:
        zero = torch.zeros(batch, 1, 1, 1, dtype=torch.float64)
        at_low = math.sqrt(a) * 0.7 + math.sqrt(1 - a) * noise.normal(zero)
        return KnownRegion().renoise(at_low, low, high, noise)

    found = law(sample, 2, 1)
    assert float(found.offset) == pytest.approx(0.7 * float(high.alpha_bar) ** 0.5)
    assert float(found.cov) == pytest.approx(1 - float(high.alpha_bar))
