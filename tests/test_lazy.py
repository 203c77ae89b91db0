"""Heavy packages come when something of them is asked for, and not because another one looks."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from radpipe.lazy import matplotlib, scipy, torch
from matplotlib.figure import Figure
Figure().subplots().plot([1, 2], [3, 4])  # asks of each value whether it is a tensor
assert scipy.special.stdtrit(9, 0.975) > 2 and matplotlib.rcParams
assert "torch" not in sys.modules
import torch as real
assert torch.Tensor is real.Tensor and torch.nn.functional.relu is real.nn.functional.relu
"""


def test_drawing_and_quantiles_do_not_import_torch() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
