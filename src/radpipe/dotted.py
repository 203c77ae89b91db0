"""Dotted keys of nested mappings: `training.rad.lr`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mapping -> {'a.b': value}; empty mappings are kept as values."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def put(tree: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key in a nested mapping."""
    *parents, last = key.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
    tree[last] = copy.deepcopy(value)


def get(tree: Any, key: str) -> Any:
    """A dotted key of a nested mapping."""
    for part in key.split("."):
        tree = tree[part]
    return tree
