from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from radpipe.diffusion.schedule import TwoPhaseSchedule

S = TwoPhaseSchedule()
BETAS = np.linspace(1e-4, 0.02, 1000)  # float64
ABAR = np.concatenate([[1.0], np.cumprod(1 - BETAS)])
LEVELS = [0, 1, 2, 500, 999, 1000, 1001, 1002, 1500, 1999, 2000]


def soft(batch: int = 1) -> Tensor:
    return torch.linspace(0, 1, 9, dtype=torch.float64).view(1, 1, 3, 3).expand(batch, 1, 3, 3)


def test_scalar_schedule_is_the_papers() -> None:
    assert np.allclose(S.alpha_bar_scalar.numpy(), ABAR, rtol=1e-12, atol=0)
    assert float(S.alpha_bar_scalar[0]) == 1.0
    assert float(S.alpha_bar_scalar[1000]) == pytest.approx(4.0358e-5, rel=1e-4)


@pytest.mark.parametrize("t", LEVELS)
def test_every_pixel_follows_the_papers_formula(t: int) -> None:
    m = soft().numpy()
    nu = 1 - ABAR[1000]
    gamma = np.log(ABAR[t if t <= 1000 else t - 1000]) / np.log(1 - nu)
    phase1 = (1 - nu * m) ** gamma
    phase2 = (1 - nu * m) * ((1 - nu) / (1 - nu * m)) ** gamma
    wanted = phase1 if t <= 1000 else phase2
    assert np.allclose(S.alpha_bar(t, soft()).numpy(), wanted, rtol=1e-9, atol=0)


def test_binary_masks_freeze_exactly() -> None:
    m = torch.tensor([0, 1]).bool().view(1, 1, 1, 2)
    for t in range(1, 2001):
        known, hole = S.alpha_bar(t, m).flatten()
        b_known, b_hole = S.beta(t, m).flatten()
        scalar = S.alpha_bar_scalar[t if t <= 1000 else t - 1000]
        if t <= 1000:
            assert known == 1 and b_known == 0 and hole == scalar
            assert float(b_hole) == pytest.approx(BETAS[t - 1], rel=1e-12)
        else:
            assert hole == S.alpha_bar_scalar[1000] and b_hole == 0 and known == scalar
            assert float(b_known) == pytest.approx(BETAS[t - 1001], rel=1e-12)


def test_steps_multiply_up_to_levels() -> None:
    product = torch.ones_like(soft())
    for t in range(1, 2001):
        product = product * (1 - S.beta(t, soft()))
        assert torch.allclose(product, S.alpha_bar(t, soft()), rtol=1e-9, atol=0)
    assert torch.allclose(product, S.alpha_bar_scalar[1000].expand_as(product), rtol=1e-9)


def test_b_bar_keeps_its_digits_where_almost_nothing_is_noisy() -> None:
    m = torch.full((1, 1, 1, 1), 1e-9, dtype=torch.float64)
    gamma = np.log(ABAR[1]) / np.log(ABAR[1000])
    wanted = gamma * (1 - ABAR[1000]) * 1e-9  # first order of 1 - (1 - nu m)^gamma
    assert float(S.b_bar(1, m)) == pytest.approx(wanted, rel=1e-6)


def test_images_of_a_batch_have_their_own_level() -> None:
    t = torch.tensor([1, 1000, 1001, 2000])
    m = soft(4)
    together = S.alpha_bar(t, m)
    for i in range(4):
        assert torch.equal(together[i : i + 1], S.alpha_bar(int(t[i]), m[i : i + 1]))


def test_uniform_map_gives_exactly_adms_index() -> None:
    ones = torch.ones(1, 1, 2, 2)
    for t in range(1, 1001):
        expected = torch.full((1, 1, 2, 2), float(t - 1), dtype=torch.float64)
        assert torch.equal(S.network_time(S.b_bar(t, ones)), expected)
        # also from an alpha_bar, whose difference to 1 is rounded
        assert torch.equal(S.network_time(1 - S.alpha_bar(t, ones)), expected)
    assert torch.equal(S.network_time(torch.zeros(3)), torch.full((3,), -1.0).double())


def test_inverse_time_is_the_inverse_of_linear_interpolation() -> None:
    table = 1 - ABAR
    time = torch.linspace(0, 1000, 7919, dtype=torch.float64)
    b_bar = torch.from_numpy(np.interp(time.numpy(), np.arange(1001), table))
    assert torch.allclose(S.inverse_time(b_bar), time, atol=1e-6)
    assert torch.allclose(S.inverse_time(b_bar.view(1, -1)), time.view(1, -1), atol=1e-6)


def test_inverse_time_ends() -> None:
    assert float(S.inverse_time(torch.tensor(1.0))) == 1000
    for bad in (-1e-9, 1.1, float("nan")):
        with pytest.raises(ValueError, match="variances"):
            S.inverse_time(torch.tensor(bad))


def test_other_lengths_end_at_the_same_noise_in_both_phases() -> None:
    s = TwoPhaseSchedule(steps=100, phase2_steps=50)
    m = soft()
    assert torch.allclose(s.alpha_bar(150, m), s.alpha_bar_scalar[100].expand_as(m), rtol=1e-9)
    assert float(s.beta(1, torch.ones(1, 1, 1, 1))) == pytest.approx(1e-3)
    assert 1e-5 < float(s.alpha_bar_scalar[100]) < 1e-4


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 21"):
        TwoPhaseSchedule(steps=20)
    TwoPhaseSchedule(steps=21)
    for t in (-1, 2001):
        with pytest.raises(IndexError):
            S.alpha_bar(t, soft())
