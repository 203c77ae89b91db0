"""What moves weights besides the gradient: their running average and the learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from radpipe.settings import Optimisation


def trained(network: nn.Module) -> dict[str, Tensor]:
    """The parameters that change, by name."""
    return {name: p for name, p in network.named_parameters() if p.requires_grad}


@dataclass
class Average:
    """Exponential moving average of a network's trained parameters (our choice: no bias
    correction; the average starts at the initial weights and the decay is ramped up as
    min(decay, (1 + step) / (10 + step)))."""

    decay: float
    values: dict[str, Tensor]

    @classmethod
    def of(cls, network: nn.Module, decay: float) -> Average:
        return cls(decay, {k: p.detach().clone() for k, p in trained(network).items()})

    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        current = [p.detach() for p in trained(network).values()]
        torch._foreach_lerp_(list(self.values.values()), current, 1 - decay)

    def apply(self, network: nn.Module) -> None:
        """Put the averages into the network."""
        for name, parameter in trained(network).items():
            parameter.data.copy_(self.values[name])


def learning_rate(settings: Optimisation, seen: int) -> float:
    """Linear warm-up over `warmup` images, then constant or cosine decay to zero."""
    if seen < settings.warmup:
        return settings.lr * (seen + settings.batch) / (settings.warmup + settings.batch)
    if settings.decay == "constant":
        return settings.lr
    done = (seen - settings.warmup) / max(1, settings.images - settings.warmup)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
