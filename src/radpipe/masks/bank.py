"""Masks on disk: the bank a training draws from, and one fixed mask per evaluation image.

Every mask has its own seed, so neither the number of shards nor other images change it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from radpipe.errors import UserError
from radpipe.files import atomic
from radpipe.imagestore import image_writer
from radpipe.masks import LAMA_LIMIT, draw, fits
from radpipe.section import Section
from radpipe.seeding import generator


class BankSettings(Section):
    """The training masks."""

    family: str = Field(description="a file of masks/")
    count: int = Field(ge=1, description="masks in the bank")
    shards: int = Field(ge=1, description="jobs that make them; no influence on the masks")

    def held(self, shard: int) -> range:
        """The masks that one shard holds; the shards together hold each once."""
        return range(self.count * shard // self.shards, self.count * (shard + 1) // self.shards)


def write_shard(
    path: Path,
    bank: BankSettings,
    size: int,
    seed: int,
    shard: int = 0,
    limit: float | None = LAMA_LIMIT,
) -> None:
    """Write one shard of a training bank, atomically.

    Args:
        path: the .npz file: `bits` uint8 `[N, ceil(H W / 8)]`, `size`, both compressed.
        bank: of which it is a part.
        size: image side in pixels.
        seed: settings' seed; mask i depends on (seed, family, size, i) alone.
        shard: which part, from 0.
        limit: see `masks.draw`.
    """
    fits(bank.family, size)
    masks = [
        np.packbits(draw(bank.family, generator(seed, "bank", bank.family, size, i), size, limit))
        for i in bank.held(shard)
    ]
    bits = np.array(masks, np.uint8).reshape(-1, (size * size + 7) // 8)
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, bits=bits, size=np.int64(size))


def evaluation_masks(
    path: Path,
    family: str,
    size: int,
    image_ids: Sequence[str],
    seed: int,
    limit: float | None = LAMA_LIMIT,
) -> None:
    """Write one mask per image into an image store, under the image's id (1-bit PNG).

    A mask depends on (seed, family, size, id, limit) alone: adding images changes no other mask.
    `limit`: see `masks.draw`.
    """
    fits(family, size)
    with image_writer(path) as writer:
        for id in image_ids:
            rng = generator(seed, "evaluation", family, size, id)
            writer.add(id, draw(family, rng, size, limit))


class Bank:
    """A training bank in memory, one bit a pixel.

    Args:
        paths: its shards, in order.

    Raises:
        UserError: when a shard is missing or damaged, or the shards are of different sizes.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        shards = [_read(Path(path)) for path in paths]
        sizes = {size for _, size in shards}
        if len(sizes) != 1:
            raise UserError(
                f"the bank's shards hold masks of different sizes: {sorted(sizes)}",
                str(Path(paths[0]).parent) if paths else "",
                "remove that folder, then run again",
            )
        self.size = sizes.pop()
        self._bits = np.concatenate([bits for bits, _ in shards])

    def __len__(self) -> int:
        return len(self._bits)

    def mask(self, index: int) -> np.ndarray:
        """One hole: bool `[H, W]`, True = hole."""
        return self.masks([index])[0]

    def masks(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Several holes: bool `[B, H, W]`, True = hole."""
        pixels = np.unpackbits(self._bits[np.asarray(indices)], axis=-1, count=self.size**2)
        return pixels.view(np.bool_).reshape(-1, self.size, self.size)


def _read(path: Path) -> tuple[np.ndarray, int]:
    """(bits uint8 `[N, ceil(H W / 8)]`, side) of a shard."""
    try:
        with np.load(path, allow_pickle=False) as shard:
            return shard["bits"], int(shard["size"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"the mask bank cannot be read: {error}",
            str(path),
            f"rm {path}, then run the same command again to make it anew",
        ) from None
