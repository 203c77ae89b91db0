"""Ablations: named variants, each a set of changed settings. One file per ablation.

A file defines `ABLATION`. A variant is addressed as `<ablation>-<variant>` and its cells as
`rad@<ablation>-<variant>`; a variant that changes no training shares the default's weights.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from radpipe.errors import unknown


@dataclass(frozen=True)
class Ablation:
    """One ablation.

    Attributes:
        title: heading of its table and figure.
        axis: what varies, for the axis label.
        variants: name -> dotted settings changed; the default RAD is always shown beside them.
        labels: name -> how the variant is printed.
        default_label: how the default is printed among them.
        paper: the direction that the paper reports, in words.
    """

    title: str
    axis: str
    variants: Mapping[str, Mapping[str, Any]]
    labels: Mapping[str, str]
    default_label: str
    paper: str

    def methods(self, name: str) -> dict[str, str]:
        """Cell method -> label, the default first."""
        return {"rad": self.default_label} | {
            f"rad@{name}-{variant}": self.labels.get(variant, variant) for variant in self.variants
        }


def load(name: str) -> Ablation:
    """An ablation by the name of its file."""
    from radpipe.settings_checks import plugins

    known = plugins("ablations")
    if name not in known:
        raise unknown("ablation", name, known, "params.yaml, key `run.ablations`")
    module = importlib.import_module(f"radpipe.ablations.{name}")
    ablation: Ablation = module.ABLATION
    return ablation


def variant_changes(variant: str) -> Mapping[str, Any]:
    """The settings that `<ablation>-<variant>` changes."""
    name, _, which = variant.partition("-")
    changes = load(name).variants
    if which not in changes:
        where = f"src/radpipe/ablations/{name}.py"
        raise unknown(f"variant of the ablation `{name}` called", which, list(changes), where)
    return changes[which]
