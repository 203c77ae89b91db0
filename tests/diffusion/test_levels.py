"""Paths of levels: literal values, and what is refused."""

from __future__ import annotations

import pytest
import torch

from radpipe.diffusion.levels import check_leading, spaced_levels
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.errors import UserError

S = TwoPhaseSchedule()


def test_spacings() -> None:
    assert spaced_levels(S, 100, "trailing") == [*range(1000, 0, -10), 0]
    assert spaced_levels(S, 100, "leading") == [*range(991, 0, -10), 0]
    assert spaced_levels(S, 4, "linspace") == [1000, 667, 334, 1, 0]
    every = [*range(1000, -1, -1)]
    for spacing in ("trailing", "leading", "linspace", "logsnr"):
        assert spaced_levels(S, 1000, spacing) == every
        for steps in (1, 2, 7, 25, 333, 999):
            levels = spaced_levels(S, steps, spacing)
            assert len(levels) == steps + 1 and levels[-1] == 0 and levels[0] <= 1000
            assert levels == sorted(set(levels), reverse=True)


def test_linspace_rounds_as_adm_respaces() -> None:
    """guided-diffusion's `space_timesteps(1000, [count])`, plus one: its levels count from 0."""
    assert spaced_levels(S, 21, "linspace") == [
        *(1000, 950, 900, 850, 800, 750, 700, 650, 600, 550, 500),  # 499.5 comes as 499.49999...
        *(451, 401, 351, 301, 251, 201, 151, 101, 51, 1, 0),
    ]
    assert spaced_levels(S, 15, "linspace") == [
        *(1000, 929, 857, 786, 715, 643, 572, 501, 429, 358, 286, 215, 144, 72, 1, 0)
    ]
    assert {834, 500} < set(spaced_levels(S, 43, "linspace"))  # nearest to halves: 833.5, 500.5


def test_leading_strides_that_do_not_divide_the_levels_end_at_one() -> None:
    assert spaced_levels(S, 30, "leading") == [*range(958, 0, -33), 0]
    assert spaced_levels(S, 8, "leading") == [876, 751, 626, 501, 376, 251, 126, 1, 0]


@pytest.mark.parametrize(
    ("steps", "start", "nearest"), [(600, 600, (500, 900)), (334, 667, (333, 450))]
)
def test_leading_strides_that_leave_out_the_noise_are_refused(
    steps: int, start: int, nearest: tuple[int, int]
) -> None:
    with pytest.raises(UserError, match=rf"level {start} of 1000: take {nearest[0]} or"):
        spaced_levels(S, steps, "leading")
    for count in nearest:
        check_leading(count)
    assert spaced_levels(S, steps, "trailing")[0] == 1000


def test_log_snr_strides_are_equal_where_levels_are_dense() -> None:
    levels = spaced_levels(S, 11, "logsnr")
    assert levels[0] == 1000 and levels[-2:] == [1, 0]
    a = S.alpha_bar_scalar[levels[:6]]
    strides = (a / (1 - a)).log().diff()
    assert torch.allclose(strides, strides.mean().expand(5), rtol=0.02)


@pytest.mark.parametrize("steps", [0, 1001])
def test_impossible_steps_are_a_users_error(steps: int) -> None:
    with pytest.raises(UserError, match=r"1\.\.1000"):
        spaced_levels(S, steps)
