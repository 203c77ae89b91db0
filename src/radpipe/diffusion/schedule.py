"""RAD's element-wise two-phase noise schedule, in float64.

Levels count forward steps: 0 is clean, 1..T1 is phase 1 (the hole gets noisy), T1+1..T1+T2 is
phase 2 (the rest gets noisy). Pixel i of map m moves along

    phase 1: abar_t,i = (1 - nu m_i)^Gamma_t
    phase 2: abar_t,i = (1 - nu m_i) ((1 - nu) / (1 - nu m_i))^Gamma_(t - T1)

with Gamma_t = log(abar_t) / log(1 - nu), abar_t the scalar linear schedule and 1 - nu = abar_T
(RAD, arXiv 2412.09191). In logarithms, with w(m) = log(1 - nu m) / log(1 - nu) in [0, 1],
both lines are one:

    log abar_t,i = w(m_i) A[t] + (1 - w(m_i)) C[t],

A being the scalar log-schedule of phase 1, then constant, and C being 0, then the one of phase 2.
That form is exact at both ends (w(0) = 0, w(1) = 1), so the pixels that a binary map freezes are
frozen to the last bit, and a uniform map follows the scalar schedule to the last bit.
"""

from __future__ import annotations

from radpipe.lazy import Tensor, torch

_WHOLE_LEVEL = 1e-8  # times nearer than this to a whole level are that level (float64 rounding)


class TwoPhaseSchedule:
    """Noise levels of every pixel at every step.

    Args:
        steps: T1, the steps of phase 1; also T, the length of the scalar schedule.
        phase2_steps: T2; as many as `steps` when None.
        beta_start, beta_end: ends of the linear schedule of each phase *for 1,000 steps*; with
            another number of steps they are scaled by 1000 / steps, as ADM does, so that the
            last level stays as noisy.

    Raises:
        ValueError: a phase has fewer than 2 steps, or so few that a beta reaches 1.
    """

    def __init__(
        self,
        steps: int = 1000,
        phase2_steps: int | None = None,
        beta_start: float = 1e-4,
        beta_end: float = 0.02,
    ) -> None:
        self.steps = steps
        self.phase2_steps = steps if phase2_steps is None else phase2_steps
        self.total_steps = self.steps + self.phase2_steps
        log_a1 = _linear_log_alpha(self.steps, beta_start, beta_end)
        log_a2 = _linear_log_alpha(self.phase2_steps, beta_start, beta_end)
        zero = torch.zeros(1, dtype=torch.float64)
        first = torch.cat([zero, log_a1.cumsum(0)])
        second = torch.cat([zero, log_a2.cumsum(0)])
        # Both phases end at the same noise level, also where T1 != T2 (ratio 1 where T1 == T2).
        ratio = first[-1] / second[-1]
        self._log_abar_end = first[-1]
        self._hole_path = torch.cat([first, first[-1].expand(self.phase2_steps)])  # A
        self._known_path = torch.cat([torch.zeros_like(first), second[1:] * ratio])  # C
        self._hole_step = torch.cat([zero, log_a1, torch.zeros_like(log_a2)])
        self._known_step = torch.cat([zero, torch.zeros_like(log_a1), log_a2 * ratio])
        self._b_bar_table = -torch.expm1(first)  # M4's table B

    @property
    def alpha_bar_scalar(self) -> Tensor:
        """abar of the scalar schedule, float64 `[T + 1]`; entry 0 is 1."""
        return self._hole_path[: self.steps + 1].exp()

    def log_alpha_bar(self, t: int | Tensor, m: Tensor) -> Tensor:
        """log abar_t,i, float64 `[B, 1, H, W]`, <= 0; arguments as for `alpha_bar`."""
        return self._along(self._hole_path, self._known_path, t, m)

    def alpha_bar(self, t: int | Tensor, m: Tensor) -> Tensor:
        """Share of the clean signal's power left at level t.

        Args:
            t: level in 0..T1+T2, one for all or int `[B]`, one per image (phases may differ).
            m: `[B, 1, H, W]` in [0, 1], 1 (True) = hole; bool or float, soft masks allowed.

        Returns:
            float64 `[B, 1, H, W]` on m's device.

        Raises:
            IndexError: t is outside 0..T1+T2.
        """
        return self.log_alpha_bar(t, m).exp()

    def b_bar(self, t: int | Tensor, m: Tensor) -> Tensor:
        """1 - abar_t,i without cancellation, float64 `[B, 1, H, W]`; exactly 0 where clean."""
        return -torch.expm1(self.log_alpha_bar(t, m))

    def beta(self, t: int | Tensor, m: Tensor) -> Tensor:
        """Variance b_t,i that the step t-1 -> t adds, float64 `[B, 1, H, W]`; exactly 0 where
        the pixel is frozen, and at level 0, which no step leads to."""
        return -torch.expm1(self._along(self._hole_step, self._known_step, t, m))

    def inverse_time(self, b_bar: Tensor) -> Tensor:
        """Fractional level at which the scalar schedule is as noisy as b_bar.

        Linear interpolation in the table 1 - abar_0, ..., 1 - abar_T (T + 1 entries, so a clean
        pixel is at level 0 and the noisiest at T). The authors feed this level to the network;
        ADM was trained with the index t - 1 (0..999), so we feed `network_time`: one less. Then
        a uniform map gives exactly the index ADM knows and its prediction is unchanged.

        Args:
            b_bar: any shape, in [0, 1]; values beyond the last entry count as the last.

        Returns:
            float64 in [0, T], in b_bar's shape and on its device.

        Raises:
            ValueError: a value is NaN or outside [0, 1].
        """
        b = b_bar.double()
        if not bool(((b >= 0) & (b <= 1)).all()):
            raise ValueError("inverse_time needs variances 1 - alpha_bar in [0, 1]")
        table = self._b_bar_table.to(b.device)
        k = (torch.searchsorted(table, b.contiguous(), right=True) - 1).clamp(0, self.steps - 1)
        time = k + (b - table[k]) / (table[k + 1] - table[k])
        time = time.clamp(max=float(self.steps))
        whole = time.round()
        return torch.where((time - whole).abs() < _WHOLE_LEVEL, whole, time)

    def network_time(self, b_bar: Tensor) -> Tensor:
        """ADM's time index for a noise level: `inverse_time` - 1, in [-1, T - 1]; clean is -1."""
        return self.inverse_time(b_bar) - 1

    def _along(self, hole: Tensor, known: Tensor, t: int | Tensor, m: Tensor) -> Tensor:
        """w(m) hole[t] + (1 - w(m)) known[t], float64 `[B, 1, H, W]`."""
        index = torch.as_tensor(t).to(m.device)
        if bool((index < 0).any()) or bool((index > self.total_steps).any()):
            raise IndexError(f"level {t} is outside 0..{self.total_steps}")
        w = self._weight(m)
        shape = (-1, *[1] * (m.dim() - 1))
        at_hole, at_known = (p.to(m.device)[index].reshape(shape) for p in (hole, known))
        return w * at_hole + (1 - w) * at_known

    def _weight(self, m: Tensor) -> Tensor:
        """w(m) = log(1 - nu m) / log(1 - nu), with 1 - nu m = (1 - m) + m abar_T."""
        m = m.double()
        end = self._log_abar_end.to(m.device)
        w = torch.log((1 - m) + m * end.exp()) / end
        return torch.where(m == 1, torch.ones_like(w), w)  # log(exp(x)) / x may miss 1 by an ulp


def _linear_log_alpha(steps: int, start: float, end: float) -> Tensor:
    """log(1 - beta_1), ..., log(1 - beta_steps), float64."""
    scale = 1000 / steps if steps else 0.0
    if steps < 2 or not 0 < start * scale <= end * scale < 1:
        least = max(2, int(1000 * end) + 1)
        raise ValueError(
            f"a linear schedule {start}..{end} (for 1,000 steps) cannot be cut to {steps} steps: "
            f"use at least {least}"
        )
    betas = torch.linspace(start * scale, end * scale, steps, dtype=torch.float64)
    return torch.log1p(-betas)
