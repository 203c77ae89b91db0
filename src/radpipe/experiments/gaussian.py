"""Every diffusion method on data whose right answer is known: how far from the conditional?

The data are Gaussian images, the network is their exact denoiser, so what is left is the error of
the method itself: its rule for the known part and its number of steps. The hole given the known
part is Gaussian too, with a mean and covariance in closed form.

Errors are measured in units of "ignoring the known part": 0 is the exact conditional, 1 is what
one gets from the hole's distribution without looking at the known part. Our choice throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from radpipe.diffusion.gaussian import GaussianDenoiser, conditional
from radpipe.diffusion.levels import Level
from radpipe.diffusion.noise import PerImageNoise, image_seed
from radpipe.diffusion.process import posterior
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.diffusion.solvers import Prediction
from radpipe.inpainters import load
from radpipe.lazy import Tensor, torch

SHAPE = (3, 4, 4)
IMAGES = 4  # known parts; each is inpainted many times
STD = 0.3  # of a pixel
LENGTH = 3.0  # pixels over which the correlation falls to 1/e
BETWEEN_CHANNELS = 0.6  # correlation

# MCG's official step belongs to the norm over a 256x256 image and to 1,000 steps; the same pull
# per pixel on 4x4 pixels takes 4/256 of it, and on n steps 1000/n times as much.
MCG_STEP = SHAPE[1] / 256

# (method, settings that differ from its defaults); a method not named here is run once, at its own
Case = tuple[str, dict[str, Any]]
CASES: tuple[Case, ...] = (
    ("rad", {"steps": 25}),
    ("rad", {"steps": 100}),
    ("rad", {"steps": 1000}),
    ("rad", {"solver": "dpmpp_2m", "steps": 25, "spacing": "trailing"}),
    ("repaint", {"steps": 25, "jump_length": 5, "resamplings": 1}),
    ("repaint", {"steps": 25, "jump_length": 5, "resamplings": 3}),
    ("repaint", {"steps": 25, "jump_length": 5, "resamplings": 10}),
    ("repaint", {"steps": 250, "jump_length": 10, "resamplings": 1}),
    ("repaint", {"steps": 250, "jump_length": 10, "resamplings": 10}),
    ("score_sde", {"steps": 50}),
    ("score_sde", {"steps": 1000}),
    ("mcg", {"steps": 50, "step": 1.0}),
    ("mcg", {"steps": 50, "step": MCG_STEP * 20}),
    ("mcg", {"steps": 1000, "step": 1.0}),
    ("mcg", {"steps": 1000, "step": MCG_STEP}),
    ("ddrm", {"steps": 20}),
    ("ddrm", {"steps": 100}),
)


class BatchNoise(PerImageNoise):
    """Noise for a whole batch from one generator: thousands of tiny images, drawn at once."""

    def __init__(self, seed: int) -> None:
        super().__init__([seed])

    def normal(self, x: Tensor) -> Tensor:
        """Standard normal numbers in the shape, dtype and device of x."""
        drawn = torch.randn(x.shape, generator=self._generators[0], dtype=x.dtype)
        return drawn.to(x.device)


class ExactNetwork:
    """What a perfectly trained ADM would answer: the exact noise, and the learned variance.

    The variance that a network with learned range converges to (Bao et al., Analytic-DPM,
    ICLR 2022) is, per pixel and for one step of the full chain,
    posterior variance + (weight of x0 in the posterior mean)^2 Var[x0 | x_t]. It is returned as
    its place v between the posterior variance (-1) and beta (+1), and the respaced chains then
    use v as they use a network's.
    """

    def __init__(self, denoiser: GaussianDenoiser, schedule: TwoPhaseSchedule) -> None:
        self.denoiser, self.scalar = denoiser, schedule.alpha_bar_scalar
        self._v: dict[int, Tensor] = {}  # per level; all images of a run share their hole

    def __call__(self, x: Tensor, level: Level) -> Prediction:
        if level.t not in self._v:
            self._v[level.t] = self._variance_place(level)
        return Prediction(self.denoiser(x, level).eps, self._v[level.t].expand_as(x))

    def _variance_place(self, level: Level) -> Tensor:
        """v, `[1, C, H, W]`; -1 where nothing is drawn: at clean pixels, and for t = 1."""
        shape = self.denoiser.mean.shape
        now = level.alpha_bar[:1].expand(1, *shape)
        before = torch.where(now == 1, 1.0, self.scalar[level.t - 1])
        q = posterior(now, before)
        root, cov = now.flatten().sqrt(), self.denoiser.cov
        noisy_cov = root[:, None] * cov * root + torch.diag(1 - now.flatten())
        gain = torch.linalg.solve(noisy_cov, root[:, None] * cov).T
        left = (cov - gain @ (root[:, None] * cov)).diagonal().reshape(1, *shape)
        drawn = q.variance > 0
        low, high = (torch.where(drawn, v, 1.0).log() for v in (q.variance, q.beta))
        best = torch.where(drawn, q.variance + q.x0.square() * left, 1.0).log()
        fraction = (best - low) / torch.where(drawn, high - low, 1.0)
        return 2 * fraction - 1


@dataclass(frozen=True)
class Problem:
    """Gaussian images, a hole, some known parts and the conditionals they leave.

    `prior_*` and `mean`, `covariance` are of the k hole values: mean `[IMAGES, k]`; all float64.
    """

    denoiser: GaussianDenoiser
    hole: Tensor  # bool [1, H, W]
    known: Tensor  # [IMAGES, C, H, W], 0 in the hole
    mean: Tensor
    covariance: Tensor
    prior_mean: Tensor
    prior_covariance: Tensor


def covariance_of_images() -> Tensor:
    """`[n, n]`, n = C H W: exponential in the distance of pixels, constant between channels."""
    channels, height, width = SHAPE
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], dim=1).double()
    space = torch.exp(-torch.cdist(places, places) / LENGTH)
    eye = torch.eye(channels, dtype=torch.float64)
    colour = BETWEEN_CHANNELS + (1 - BETWEEN_CHANNELS) * eye
    return STD**2 * torch.kron(colour, space)


def make_problem(seed: int) -> Problem:
    """Images from N(mean, cov), mean 0.1 everywhere; the hole is their left half."""
    generator = torch.Generator().manual_seed(image_seed(seed, "gaussian", "problem"))
    mean, cov = torch.full(SHAPE, 0.1, dtype=torch.float64), covariance_of_images()
    hole = torch.zeros(1, *SHAPE[1:], dtype=torch.bool)
    hole[..., : SHAPE[2] // 2] = True
    z = torch.randn(IMAGES, mean.numel(), generator=generator, dtype=torch.float64)
    images = mean + (z @ torch.linalg.cholesky(cov).T).reshape(IMAGES, *SHAPE)
    inside = hole.expand(SHAPE).flatten()
    answers = [conditional(mean, cov, hole, image) for image in images]
    return Problem(
        denoiser=GaussianDenoiser(mean, cov),
        hole=hole,
        known=images.masked_fill(hole, 0.0),
        mean=torch.stack([answer for answer, _ in answers]),
        covariance=answers[0][1],
        prior_mean=mean.flatten()[inside],
        prior_covariance=cov[inside][:, inside],
    )


def errors(problem: Problem, values: Tensor) -> tuple[float, float]:
    """(mean error, covariance error) of hole values `[IMAGES, N, k]`, 1 = known part ignored.

    Mean: root mean square distance over the images, relative to that of the prior mean.
    Covariance: Frobenius distance, pooled over the images, relative to that of the prior's.
    """
    centre = values.mean(dim=1)
    wrong = (centre - problem.mean).square().sum().sqrt()
    ignored = (problem.prior_mean - problem.mean).square().sum().sqrt()
    spread = (values - centre[:, None]).flatten(0, 1)
    found = spread.T @ spread / (len(spread) - IMAGES)
    far = torch.linalg.matrix_norm(problem.prior_covariance - problem.covariance)
    off = torch.linalg.matrix_norm(found - problem.covariance)
    return float(wrong / ignored), float(off / far)


def sample(problem: Problem, case: Case, samples: int, seed: int) -> tuple[Tensor, float]:
    """Hole values `[IMAGES, samples / IMAGES, k]` of a method, and its counted evaluations.

    x0 is not clipped: Gaussian data know no bounds, and clipping would hide the rule's own error.
    """
    name, changes = case
    method = load(name)
    clip = {"clip_x0": False} if "clip_x0" in method.Settings.model_fields else {}
    settings = method.Settings(**changes, **clip)
    schedule = TwoPhaseSchedule()
    inpainter = method(settings, ExactNetwork(problem.denoiser, schedule), schedule)
    each = samples // IMAGES
    known = problem.known.repeat_interleave(each, dim=0)
    hole = problem.hole[None].expand(len(known), -1, -1, -1)
    noise = BatchNoise(image_seed(seed, "gaussian", name, str(sorted(changes.items()))))
    out = inpainter.inpaint(known, hole, noise)
    values = out[hole.expand_as(out)].reshape(IMAGES, each, -1)
    return values, inpainter.model.tally.images / len(known)


def draws(problem: Problem, mean: Tensor, covariance: Tensor, samples: int, seed: int) -> Tensor:
    """Hole values `[IMAGES, samples / IMAGES, k]` from N(mean, covariance) itself."""
    shape = (IMAGES, samples // IMAGES, len(covariance))
    z = BatchNoise(seed).normal(torch.empty(shape, dtype=torch.float64))
    return mean.expand(IMAGES, -1)[:, None] + z @ torch.linalg.cholesky(covariance).T


def cases_of(methods: Iterable[str], most_steps: int) -> list[Case]:
    """The cases of the diffusion methods among `methods`, of at most so many reverse steps."""
    diffusion = [name for name in methods if load(name).requires in ("rad", "base")]
    own: list[Case] = [(name, {}) for name in diffusion if name not in dict(CASES)]
    wanted = [case for case in (*CASES, *own) if case[0] in diffusion]
    return [c for c in wanted if getattr(load(c[0]).Settings(**c[1]), "steps", 1) <= most_steps]


def compare(
    cases: Iterable[Case],
    samples: int,
    seed: int,
    on_case: Callable[[str], object] | None = None,
) -> Iterator[dict[str, str | float]]:
    """Methods against the closed form.

    Args:
        cases: (method, settings that differ from its defaults), a row each.
        samples: inpainted images per row, all in one batch; a multiple of `IMAGES`.
        seed: the settings' seed.
        on_case: called with a case's method and settings before it is computed.

    Yields:
        Two rows of reference draws, `exact` (from the conditional itself: its errors are pure
        sampling error) and `known part ignored` (from the prior: about 1), then one per case.
        Keys: method, settings (as text), evaluations (counted, per image), mean_error,
        covariance_error, samples.
    """
    problem = make_problem(seed)

    def row(name: str, text: str, evaluations: float, values: Tensor) -> dict[str, str | float]:
        mean, spread = errors(problem, values)
        return {
            "method": name,
            "settings": text,
            "evaluations": evaluations,
            "mean_error": mean,
            "covariance_error": spread,
            "samples": samples,
        }

    references = (
        ("exact", problem.mean, problem.covariance),
        ("known part ignored", problem.prior_mean, problem.prior_covariance),
    )
    for name, mean, covariance in references:
        own = image_seed(seed, "gaussian", name)
        yield row(name, "", 0.0, draws(problem, mean, covariance, samples, own))
    for case in cases:
        text = ", ".join(f"{key} {value}" for key, value in case[1].items())
        if on_case is not None:
            on_case(f"{case[0]} ({text})")
        values, evaluations = sample(problem, case, samples, seed)
        yield row(case[0], text, evaluations, values)
