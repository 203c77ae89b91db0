"""Peak arithmetic of some GPUs, from their makers' public sheets, and what this CPU reaches."""

from __future__ import annotations

from dataclasses import dataclass

from radpipe.errors import unknown
from radpipe.evaluation.timing import calibrate
from radpipe.lazy import torch

CALIBRATION = 3 * 2 * (8 * 64 * 64) * (64 * 64 * 9)  # operations of `timing.calibrate`


@dataclass(frozen=True)
class Gpu:
    """A GPU's peak rates, TFLOP/s, dense (without structured sparsity); or a CPU.

    Attributes:
        name: with its form.
        fp32: outside of tensor cores.
        tf32: PyTorch's default for convolutions in float32; the fp32 rate where there is none.
        bf16: tensor cores, accumulating in float32; None where the chip has no bf16.
        source: of the rates.
        efficiency: share of them that is assumed, 0..1.
    """

    name: str
    fp32: float
    tf32: float
    bf16: float | None
    source: str
    efficiency: float = 0.2

    def rate(self, precision: str) -> float:
        """TFLOP/s for 'fp32', 'tf32' or 'bf16'; bf16 falls back to fp32 on older chips."""
        rates = {"fp32": self.fp32, "tf32": self.tf32, "bf16": self.bf16}
        return rates[precision] or self.fp32


GPUS = {
    "V100": Gpu("V100 SXM2", 15.7, 15.7, None, "NVIDIA V100 data sheet"),
    "A100": Gpu("A100 SXM", 19.5, 156.0, 312.0, "NVIDIA A100 data sheet"),
    "H100": Gpu("H100 SXM", 66.9, 494.7, 989.4, "NVIDIA H100 architecture white paper"),
    "H200": Gpu("H200 SXM", 66.9, 494.7, 989.4, "NVIDIA H200 data sheet; as H100"),
    "RTX3090": Gpu("RTX 3090", 35.6, 35.6, 71.2, "NVIDIA GA102 white paper"),
    "RTX4090": Gpu("RTX 4090", 82.6, 82.6, 165.2, "NVIDIA Ada white paper"),
}
CPU = "CPU"


def gpu(name: str) -> Gpu:
    """A GPU by name, however it is written ('RTX 4090', 'rtx4090'), or 'cpu': this machine's.

    Raises:
        UserError: for one that is not in the table.
    """
    key = name.upper().replace(" ", "").replace("-", "").replace("_", "")
    if key == CPU:
        return cpu()
    found = GPUS.get(key) or GPUS.get(f"RTX{key}")
    if found is None:
        raise unknown("GPU", key, [*GPUS, CPU], "--gpu")
    return found


def cpu() -> Gpu:
    """This machine's CPU: the rate of convolutions, measured now in a moment.

    Of that, the small networks of this project reach a fourth to six tenths in sampling and in
    training (measured on two cores); four tenths are assumed.
    """
    rate = CALIBRATION / calibrate(torch.device("cpu")) / 1e12
    return Gpu(CPU, rate, rate, rate, "convolutions measured now", 0.4)
