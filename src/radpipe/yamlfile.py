"""YAML as people mean it, read from files that nobody vouches for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from radpipe.errors import UserError

MOST = 100_000  # values that a file may stand for; aliases multiply


def read_yaml(path: Path, missing: str) -> Any:
    """A file of the repository as plain values, see `load_yaml`.

    Raises:
        UserError: it is not there (the message says `missing`), or not valid.
    """
    if not path.is_file():
        raise UserError(missing, str(path), "run from the repository's root")
    return load_yaml(path.read_text(encoding="utf-8"), str(path))


def load_yaml(text: str, file: str) -> Any:
    """YAML 1.2 as plain values: 1e-4 is a number and `no` a word; no key twice, no infinities.

    Raises:
        UserError: naming the fault and its line.
    """
    yaml = YAML(typ="safe", pure=True)
    try:
        tree = yaml.compose(text)
        if tree is not None and _count(tree, {}) > MOST:
            raise UserError("aliases make this file as long as a book", file, "write values out")
        raw = yaml.load(text)
    except (YAMLError, ValueError) as error:
        said = str(error).partition("To suppress this check")[0]
        raise UserError(f"not valid YAML: {' '.join(said.split())}", file) from None
    for key in _infinite(raw):
        raise UserError("a number must be finite", f"{file}, key `{key}`", "write a number")
    return raw


def _infinite(value: Any, key: str = "") -> Iterator[str]:
    """Dotted keys of numbers that are not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        yield key
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _infinite(part, f"{key}.{name}" if key else str(name))


def _count(node: Node, seen: dict[int, int]) -> int:
    """Values that a node stands for, its aliases written out; each node is looked at once."""
    if id(node) not in seen:
        seen[id(node)] = MOST + 1  # an alias to what it is part of
        parts = node.value if isinstance(node, (MappingNode, SequenceNode)) else ()
        flat = [p for part in parts for p in (part if isinstance(part, tuple) else (part,))]
        seen[id(node)] = min(1 + sum(_count(part, seen) for part in flat), MOST + 1)
    return seen[id(node)]
