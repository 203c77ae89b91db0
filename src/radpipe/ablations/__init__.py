"""Ablations: named variants, each a set of changed settings. One file per ablation.

A file defines `ABLATION`. A variant is addressed as `<ablation>-<variant>` and its cells as
`rad@<ablation>-<variant>`; a variant that changes no training shares the default's weights.
Variants that are trained see `training.ablation_images` images each, unless the images are what
they vary; so does `reference`, the unchanged RAD that they are compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from radpipe import plugins
from radpipe.errors import unknown
from radpipe.method import DEFAULT, REFERENCE, Method


@dataclass(frozen=True)
class Ablation:
    """One ablation.

    Attributes:
        title: heading of its table and figure.
        axis: what varies, for the axis label.
        variants: name -> dotted settings changed, each to a value or by a function of what it is;
            the unchanged method is always shown beside them.
        labels: name -> how the variant is printed.
        default_label: how the unchanged method is printed among them.
        paper: the direction that the paper reports, in words.
        method: whose settings vary: a file of inpainters/.
    """

    title: str
    axis: str
    variants: Mapping[str, Mapping[str, Any]]
    labels: Mapping[str, str]
    default_label: str
    paper: str
    method: str = "rad"

    @property
    def unchanged(self) -> str:
        """The method that the variants are compared with: RAD trained on as many images."""
        trained = any(trains(changes) for changes in self.variants.values())
        return str(Method(self.method, REFERENCE if trained else DEFAULT))

    def varies(self, key: str) -> bool:
        """Whether a dotted setting differs among the variants."""
        return any(key in changes for changes in self.variants.values())

    def methods(self, name: str) -> dict[str, str]:
        """Cell method -> label, the unchanged method first."""
        return {self.unchanged: self.default_label} | {
            method_of(name, variant, self.method): self.labels.get(variant, variant)
            for variant in self.variants
        }


def method_of(name: str, variant: str, method: str = "rad") -> str:
    """The cell method of an ablation's variant."""
    return str(Method(method, f"{name}-{variant}"))


def load(name: str) -> Ablation:
    """An ablation by the name of its file."""
    module = plugins.load("ablations", name, "ablation", "params.yaml, key `run.ablations`")
    ablation: Ablation = module.ABLATION
    return ablation


def trains(changes: Mapping[str, Any]) -> bool:
    """Whether changed settings need a training of their own."""
    return any(key.startswith(("training.", "masks.training.")) for key in changes)


def compares(variant: str) -> bool:
    """Whether a variant is one of several trainings that are compared."""
    return variant == REFERENCE or (variant != DEFAULT and trains(variant_changes(variant, None)))


def variant_changes(variant: str, images: int | None) -> Mapping[str, Any]:
    """The settings that a variant changes.

    Args:
        variant: `<ablation>-<variant>`, or `reference`.
        images: budget of variants that are trained; None: RAD's own.
    """
    budget = {} if images is None else {"training.rad.images": images}
    if variant == REFERENCE:
        return budget
    name, _, which = variant.partition("-")
    changes = load(name).variants
    if which not in changes:
        where = f"src/radpipe/ablations/{name}.py"
        raise unknown(f"variant of the ablation `{name}` called", which, list(changes), where)
    own = changes[which]
    return {**budget, **own} if trains(own) else own
