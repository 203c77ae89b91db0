"""Random numbers that belong to an image, not to a batch.

Every image owns one CPU generator, so a sample depends on its seed alone: not on the batch it
was in, its place there, the batch size, or the device.
"""

from __future__ import annotations

from collections.abc import Sequence

from radpipe.lazy import Tensor, torch
from radpipe.seeding import key_hash


def image_seed(seed: int, *key: str | int) -> int:
    """Derive a seed for one purpose from the settings' seed.

    The same arguments give the same number on every machine and Python version (sha256 of their
    JSON text), and different keys give unrelated numbers.

    Args:
        seed: the seed of the settings; 0 is as good as any other.
        key: what the numbers are for, e.g. `image_seed(0, "sample", "box", 17)`.

    Returns:
        An integer in [0, 2**63).
    """
    return int.from_bytes(key_hash(seed, key, ",")[:8], "big") >> 1


class PerImageNoise:
    """Random numbers for a batch, image i from its own generator.

    Numbers are drawn on the CPU in float32 and moved, so all devices see the same ones.
    Making the object again from the same seeds starts the same sequence again.

    Args:
        seeds: one seed in [0, 2**63) per image of the batch.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]

    def __len__(self) -> int:
        return len(self._generators)

    def normal(self, x: Tensor) -> Tensor:
        """Standard normal numbers in the shape, dtype and device of x `[B, ...]`.

        Raises:
            ValueError: the batch of x is not as long as the list of seeds.
        """
        if x.shape[0] != len(self):
            raise ValueError(f"noise for {len(self)} images was asked for a batch of {x.shape[0]}")
        shape = x.shape[1:]
        drawn = [torch.randn(shape, generator=g, dtype=torch.float32) for g in self._generators]
        return torch.stack(drawn).to(device=x.device, dtype=x.dtype)
