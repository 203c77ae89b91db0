"""Random numbers that depend on a seed and a name, never on order, batch or machine."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def generator(seed: int, *key: str | int) -> np.random.Generator:
    """A NumPy generator for one named thing.

    Args:
        seed: the settings' seed.
        *key: what the numbers are for, e.g. `"mask", "wide", "1f600"`.

    Two keys share no stream: the generator is seeded with the SHA-256 of seed and key.
    Our choice.
    """
    name = json.dumps([seed, *key]).encode()
    return np.random.default_rng(list(hashlib.sha256(name).digest()))
