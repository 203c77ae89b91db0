"""Peak arithmetic of some GPUs, from their makers' public sheets."""

from __future__ import annotations

from dataclasses import dataclass

from radpipe.errors import UserError, nearest


@dataclass(frozen=True)
class Gpu:
    """A GPU's peak rates, TFLOP/s, dense (without structured sparsity).

    Attributes:
        name: with its form.
        fp32: outside of tensor cores.
        tf32: PyTorch's default for convolutions in float32; the fp32 rate where there is none.
        bf16: tensor cores, accumulating in float32; None where the chip has no bf16.
        source: of the rates.
    """

    name: str
    fp32: float
    tf32: float
    bf16: float | None
    source: str

    def rate(self, precision: str) -> float:
        """TFLOP/s for 'fp32', 'tf32' or 'bf16'; bf16 falls back to fp32 on older chips."""
        if precision == "bf16":
            return self.fp32 if self.bf16 is None else self.bf16
        return self.tf32 if precision == "tf32" else self.fp32


GPUS = {
    "V100": Gpu("V100 SXM2", 15.7, 15.7, None, "NVIDIA V100 data sheet"),
    "A100": Gpu("A100 SXM", 19.5, 156.0, 312.0, "NVIDIA A100 data sheet"),
    "H100": Gpu("H100 SXM", 66.9, 494.7, 989.4, "NVIDIA H100 architecture white paper"),
    "H200": Gpu("H200 SXM", 66.9, 494.7, 989.4, "NVIDIA H200 data sheet; as H100"),
    "RTX3090": Gpu("RTX 3090", 35.6, 35.6, 71.2, "NVIDIA GA102 white paper"),
    "RTX4090": Gpu("RTX 4090", 82.6, 82.6, 165.2, "NVIDIA Ada white paper"),
}


def gpu(name: str) -> Gpu:
    """A GPU by name, however it is written ('RTX 4090', 'rtx4090').

    Raises:
        UserError: for one that is not in the table.
    """
    key = name.upper().replace(" ", "").replace("-", "").replace("_", "")
    found = GPUS.get(key) or GPUS.get(f"RTX{key}")
    if found is None:
        meant = nearest(key, list(GPUS))
        hint = f"did you mean {meant}? " if meant else ""
        raise UserError(
            f"the table has no GPU `{name}`", "--gpu", hint + "there: " + ", ".join(GPUS)
        )
    return found
