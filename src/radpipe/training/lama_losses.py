"""LaMa's training losses, as functions of tensors; the loop that calls them is elsewhere.

Source: Suvorov et al., WACV 2022 (arXiv 2109.07161), sections 2.2 and 3; weights of Big-LaMa as
defaults. Images are float32 `[B, 3, H, W]` in [-1, 1], holes bool `[B, 1, H, W]`, True = hole.
Inside, pixel differences and the gradient penalty are measured on [0, 1] images, for which the
published weights were chosen.

Departure: the perceptual loss takes the features of any given network (the paper: a segmentation
ResNet50 with dilated convolutions, for which no weights are at hand), so its weight is a setting to
be chosen with that network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from radpipe.models.lama import to_unit

Discriminator = Callable[[Tensor], tuple[Tensor, list[Tensor]]]  # [0, 1] image -> logits, features
Features = Callable[[Tensor], Sequence[Tensor]]  # [-1, 1] image -> feature maps of a frozen network


@dataclass(frozen=True)
class LamaLossWeights:
    """Weights of LaMa's losses; defaults are Big-LaMa's.

    Attributes:
        l1: mean absolute error on known pixels, [0, 1] units (paper).
        adversarial: non-saturating GAN loss (paper).
        r1: penalty on the squared gradient of the real logits (paper).
        feature_matching: mean squared difference of discriminator features (paper).
        perceptual: mean squared difference of frozen features, summed over layers (paper).
    """

    l1: float = 10.0
    adversarial: float = 10.0
    r1: float = 1e-3
    feature_matching: float = 100.0
    perceptual: float = 30.0


def _summed(total: Tensor, terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """`loss` is the scalar to differentiate, the others are the unweighted terms, for the log."""
    return {"loss": total} | {name: term.detach() for name, term in terms.items()}


def masked_l1(output: Tensor, target: Tensor, hole: Tensor) -> Tensor:
    """Mean over all pixels of |output - target|, units of [0, 1], counted as 0 inside the hole."""
    difference = (to_unit(output) - to_unit(target)).abs()
    return difference.masked_fill(hole, 0.0).mean()


def feature_matching(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Mean over layers of the mean squared difference; `real` takes no gradient."""
    return torch.stack([F.mse_loss(b, a.detach()) for a, b in zip(real, fake, strict=True)]).mean()


def perceptual(features: Features, output: Tensor, target: Tensor) -> Tensor:
    """Sum over layers of the mean squared difference of frozen features."""
    with torch.no_grad():
        wanted = features(target)
    pairs = zip(features(output), wanted, strict=True)
    return torch.stack([F.mse_loss(found, goal) for found, goal in pairs]).sum()


def generator_loss(
    output: Tensor,
    target: Tensor,
    hole: Tensor,
    discriminator: Discriminator,
    features: Features | None,
    weights: LamaLossWeights,
) -> dict[str, Tensor]:
    """What the generator minimises, for its whole output image (known pixels not pasted, as in
    LaMa): `loss`, and its unweighted terms.

    `features=None` is allowed only with weights.perceptual = 0. Gradients reach the discriminator's
    parameters too: clear or freeze them before its own step.
    """
    if features is None and weights.perceptual > 0:
        raise ValueError("a perceptual weight above zero needs a feature network")
    with torch.no_grad():
        _, real_features = discriminator(to_unit(target))
    logits, fake_features = discriminator(to_unit(output))
    terms = {
        "l1": masked_l1(output, target, hole),
        "adversarial": F.softplus(-logits).mean(),
        "feature_matching": feature_matching(real_features, fake_features),
    }
    if features is not None and weights.perceptual > 0:
        terms["perceptual"] = perceptual(features, output, target)
    total = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
    return _summed(total, terms)


def discriminator_loss(
    output: Tensor,
    target: Tensor,
    hole: Tensor,
    discriminator: Discriminator,
    weights: LamaLossWeights,
) -> dict[str, Tensor]:
    """What the discriminator minimises: `loss`, and its unweighted terms.

    Only patches that show the hole count as fake: the known part of the output is called real
    (paper, section 2.2.2). A patch's target is the share of hole in it, found by resizing the mask
    to the logits' size (area average: our choice). R1: `weights.r1` x E ||d logits / d real
    image||^2 on [0, 1] images.
    """
    real = to_unit(target).detach().requires_grad_(weights.r1 > 0)
    real_logits, _ = discriminator(real)
    fake_logits, _ = discriminator(to_unit(output).detach())
    share = F.interpolate(hole.float(), fake_logits.shape[-2:], mode="area")
    fake_term = (share * F.softplus(fake_logits) + (1 - share) * F.softplus(-fake_logits)).mean()
    terms = {"real": F.softplus(-real_logits).mean(), "fake": fake_term}
    total = terms["real"] + terms["fake"]
    if weights.r1 > 0:
        (gradient,) = torch.autograd.grad(real_logits.sum(), real, create_graph=True)
        terms["r1"] = gradient.square().sum(dim=(1, 2, 3)).mean()
        total = total + weights.r1 * terms["r1"]
    return _summed(total, terms)
