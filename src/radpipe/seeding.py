"""Random numbers that depend on a seed and a name, never on order, batch or machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np


def key_hash(seed: int, key: Sequence[str | int], comma: str) -> bytes:
    """SHA-256 of the JSON list of a seed and a key: 32 bytes, the same on every machine.

    Args:
        seed: the settings' seed.
        key: what the numbers are for.
        comma: between the list's elements; each of the users has its own, so that equal keys of
            two users share no bytes.
    """
    text = json.dumps([seed, *key], separators=(comma, ":"))
    return hashlib.sha256(text.encode()).digest()


def generator(seed: int, *key: str | int) -> np.random.Generator:
    """A NumPy generator for one named thing.

    Args:
        seed: the settings' seed.
        *key: what the numbers are for, e.g. `"mask", "wide", "1f600"`.

    Two keys share no stream: the generator is seeded with the SHA-256 of seed and key.
    Our choice.
    """
    return np.random.default_rng(list(key_hash(seed, key, ", ")))
