"""LaMa's objective: a generator and a discriminator that take turns in the one training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from radpipe.models.lama import LamaGenerator, PatchDiscriminator
from radpipe.training.lama_losses import (
    Features,
    LamaLossWeights,
    discriminator_loss,
    generator_loss,
)
from radpipe.training.samples import Sample


@dataclass(frozen=True)
class DrawHole:
    """Draws a fresh mask for every sample.

    Args:
        family: (generator, side in pixels) -> bool `[H, W]`, True = hole.
    """

    family: Callable[[np.random.Generator, int], np.ndarray]

    def __call__(self, rng: np.random.Generator, image: Tensor) -> Sample:
        """image `[3, H, W]` in [-1, 1] -> image, hole `[1, H, W]`."""
        return {"image": image, "hole": torch.from_numpy(self.family(rng, image.shape[-1]))[None]}


class LamaObjective:
    """Players `discriminator` and `generator`; each has its loss of `lama_losses`.

    Args:
        generator, discriminator: the two networks.
        features: frozen network of the perceptual loss, or None.
        weights: of the losses.
        discriminator_rate: factor on the discriminator's learning rate.
    """

    def __init__(
        self,
        generator: LamaGenerator,
        discriminator: PatchDiscriminator,
        features: Features | None,
        weights: LamaLossWeights,
        discriminator_rate: float = 1.0,
    ) -> None:
        self.players: dict[str, nn.Module] = {
            "discriminator": discriminator,
            "generator": generator,
        }
        self.rates = {"discriminator": discriminator_rate}
        self.features, self.weights = features, weights

    def loss(self, player: str, networks: dict[str, Any], batch: Sample) -> dict[str, Tensor]:
        """See `lama_losses`."""
        image, hole = batch["image"], batch["hole"]
        known = image.masked_fill(hole, 0.0)
        if player == "generator":
            opponent = self.players["discriminator"].requires_grad_(False)
            output = networks["generator"](known, hole)
            losses = generator_loss(output, image, hole, opponent, self.features, self.weights)
            opponent.requires_grad_(True)
            return losses
        with torch.no_grad():
            output = self.players["generator"](known, hole)
        return discriminator_loss(output, image, hole, networks["discriminator"], self.weights)
