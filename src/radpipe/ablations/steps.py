"""Solvers and network evaluations; no training changes, so all share the default's weights.

Each solver gets the spacing of levels that suits it (our choice), whatever the default's is:
ancestral and DPM-Solver++ equal strides in log-SNR, DDIM trailing strides; all start at pure noise,
as few steps must.
"""

from __future__ import annotations

from radpipe.ablations import Ablation

SOLVERS = {"ancestral": "ancestral", "ddim": "DDIM", "dpmpp_2m": "DPM-Solver++(2M)"}
SPACING = {"ancestral": "logsnr", "ddim": "trailing", "dpmpp_2m": "logsnr"}
STEPS = (10, 20, 50, 100)
MOST = {"dpmpp_2m": 50}  # a solver for few steps
PAIRS = [(name, steps) for name in SOLVERS for steps in STEPS if steps <= MOST.get(name, steps)]

ABLATION = Ablation(
    title="Ablation: solver and number of network evaluations",
    axis="Solver, steps",
    variants={
        f"{solver}_{steps}": {
            "inpainters.rad.solver": solver,
            "inpainters.rad.steps": steps,
            "inpainters.rad.spacing": SPACING[solver],
        }
        for solver, steps in PAIRS
    },
    labels={f"{solver}_{steps}": f"{SOLVERS[solver]}, {steps}" for solver, steps in PAIRS},
    default_label="RAD (as in params.yaml)",
    paper="The paper uses 100 ancestral steps; no result for another number is known here.",
)
