"""The name of a method in a result: a file of inpainters/, and the variant of an ablation."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT = "default"
REFERENCE = "reference"
TRUTH = "truth"


@dataclass(frozen=True, order=True)
class Method:
    """`rad`, or `rad@lora_rank-4`: a method, run as a variant of an ablation.

    Attributes:
        name: a file of inpainters/, or `TRUTH`: the untouched images, scored like a method.
        variant: `DEFAULT`; `REFERENCE`, the default at the ablations' budget; or
            `<ablation>-<variant>`.
    """

    name: str
    variant: str = DEFAULT

    @classmethod
    def parse(cls, text: str) -> Method:
        """The inverse of `str`."""
        name, _, variant = text.partition("@")
        return cls(name, variant or DEFAULT)

    def __str__(self) -> str:
        return self.name if self.variant == DEFAULT else f"{self.name}@{self.variant}"

    @property
    def is_variant(self) -> bool:
        """Whether an ablation runs it, not the main comparison."""
        return self.variant != DEFAULT

    @property
    def is_truth(self) -> bool:
        """Whether it is the untouched images."""
        return self.name == TRUTH
