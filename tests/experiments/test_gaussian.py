"""Methods against the closed form on Gaussian data: what theory gives, and the yardstick itself."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from radpipe.diffusion.gaussian import GaussianDenoiser
from radpipe.diffusion.levels import LevelPath
from radpipe.diffusion.process import learned_log_variance, posterior
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.experiments import gaussian
from radpipe.experiments.gaussian import (
    CASES,
    IMAGES,
    MCG_STEP,
    ExactNetwork,
    cases_of,
    compare,
    draws,
    errors,
    make_problem,
)
from radpipe.inpainters import load
from radpipe.plugins import names as plugins

SAMPLES = 2000
RAD, RAD_100 = ("rad", {"steps": 1000}), ("rad", {"steps": 100})
RESAMPLED = ("repaint", {"steps": 25, "jump_length": 5, "resamplings": 10})  # 205 evaluations
INJECTED = ("repaint", {"steps": 25, "jump_length": 5, "resamplings": 1})
REPLACED = ("score_sde", {"steps": 205})
MCG = ("mcg", {"steps": 50, "step": MCG_STEP * 20})
DDRM = ("ddrm", {"steps": 20})


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two reference rows, then the cases in this order."""
    cases = [RAD, RAD_100, RESAMPLED, INJECTED, REPLACED, MCG, DDRM]
    return pd.DataFrame(compare(cases, SAMPLES, seed=0)).set_index(
        pd.Index(
            [
                "exact",
                "ignored",
                "rad",
                "rad100",
                "resampled",
                "injected",
                "replaced",
                "mcg",
                "ddrm",
            ]
        )
    )


def expected_sampling_errors() -> tuple[float, float]:
    """Root mean square errors of exact draws: E|m^ - m|^2 = IMAGES tr C / n per image, and
    E|C^ - C|^2 = (tr(C)^2 + |C|^2) / degrees of freedom (Wishart)."""
    p = make_problem(0)
    c, dof = p.covariance, SAMPLES - IMAGES
    mean = (IMAGES * c.trace() / (SAMPLES / IMAGES)).sqrt() / (p.prior_mean - p.mean).norm()
    spread = ((c.trace() ** 2 + c.square().sum()) / dof).sqrt() / (p.prior_covariance - c).norm()
    return mean.item(), spread.item()


def test_exact_draws_err_as_sampling_theory_says(table: pd.DataFrame) -> None:
    mean, spread = expected_sampling_errors()
    assert table.mean_error["exact"] == pytest.approx(mean, rel=0.4)
    assert table.covariance_error["exact"] == pytest.approx(spread, rel=0.4)


def test_ignoring_the_known_part_is_one(table: pd.DataFrame) -> None:
    assert table.mean_error["ignored"] == pytest.approx(1, abs=0.1)
    assert table.covariance_error["ignored"] == pytest.approx(1, abs=0.1)


def test_rad_is_right_within_sampling_error(table: pd.DataFrame) -> None:
    """1,000 steps: no more error than 1.5 x that of exact draws."""
    mean, spread = expected_sampling_errors()
    assert table.mean_error["rad"] < 1.5 * mean
    assert table.covariance_error["rad"] < 1.5 * spread


def test_rad_at_its_official_budget_has_the_right_mean(table: pd.DataFrame) -> None:
    """100 steps: the mean within sampling error; the covariance nearly."""
    mean, spread = expected_sampling_errors()
    assert table.mean_error["rad100"] < 1.5 * mean
    assert table.covariance_error["rad100"] < 3 * spread


def test_resampling_comes_nearer_than_replacement(table: pd.DataFrame) -> None:
    """At equal evaluations, and at equal levels; the margin is many sampling errors."""
    margin = expected_sampling_errors()[0] / 2
    assert table.evaluations["resampled"] == table.evaluations["replaced"] == 205
    assert table.mean_error["resampled"] < table.mean_error["replaced"] - margin
    assert table.mean_error["resampled"] < table.mean_error["injected"] - margin
    assert table.covariance_error["resampled"] < table.covariance_error["replaced"]


def test_none_is_worse_than_ignoring_the_known_part(table: pd.DataFrame) -> None:
    methods = table.iloc[2:]
    assert (methods.mean_error < 0.75).all()
    assert (methods.covariance_error < 0.75).all()


def test_every_diffusion_method_has_a_row_and_a_new_one_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    methods = plugins("inpainters")
    diffusion = {name for name in methods if load(name).requires in ("rad", "base")}
    assert cases_of(methods, 1000) == list(CASES)
    assert {name for name, _ in CASES} == diffusion
    few = cases_of(methods, 25)
    assert few and all(changes["steps"] <= 25 for _, changes in few)
    monkeypatch.setattr(gaussian, "CASES", [case for case in CASES if case[0] != "ddrm"])
    assert cases_of(methods, 1000)[-1] == ("ddrm", {})
    assert cases_of(["ddrm", "telea"], 10) == []  # its default has 20 steps


def test_errors_are_zero_for_the_answer_and_one_for_the_prior() -> None:
    """Values whose sample mean and covariance are made exact by construction."""
    problem = make_problem(1)
    n = 400
    for mean, covariance, wanted in (
        (problem.mean, problem.covariance, 0.0),
        (problem.prior_mean.expand(IMAGES, -1), problem.prior_covariance, 1.0),
    ):
        z = draws(problem, torch.zeros(1, 24).double(), torch.eye(24).double(), IMAGES * n, 3)
        z = z - z.mean(dim=1, keepdim=True)
        found = torch.einsum("ink,inl->kl", z, z) / (IMAGES * n - IMAGES)
        z = z @ torch.linalg.inv(torch.linalg.cholesky(found)).T
        values = mean[:, None] + z @ torch.linalg.cholesky(covariance).T
        assert errors(problem, values) == pytest.approx((wanted, wanted), abs=1e-9)


def test_the_learned_variance_is_that_of_the_exact_reverse_step() -> None:
    """Independent pixels of variance s2: Var(x_t-1 | x_t) = V - (1 - beta) V^2 / V_t, in full."""
    s2, schedule = 0.09, TwoPhaseSchedule()
    network = ExactNetwork(
        GaussianDenoiser(torch.zeros(3, 2, 2), s2 * torch.eye(12, dtype=torch.float64)), schedule
    )
    for t in (2, 30, 400, 1000):
        now, before = LevelPath(schedule, [t, t - 1])
        q = posterior(now.alpha_bar, before.alpha_bar)
        v = network(torch.zeros(1, 3, 2, 2, dtype=torch.float64), now).v
        assert v is not None and v.min() >= -1 and v.max() <= 1
        variance = learned_log_variance(v, q.variance, q.beta).exp()
        v_before, v_now = (a * s2 + 1 - a for a in (before.alpha_bar, now.alpha_bar))
        exact = v_before - (1 - q.beta) * v_before**2 / v_now
        torch.testing.assert_close(variance, exact.expand_as(variance), rtol=1e-8, atol=0)


def test_the_same_seed_gives_the_same_table() -> None:
    first, second, other = (list(compare([DDRM], 400, seed)) for seed in (0, 0, 1))
    assert first == second
    assert first != other
