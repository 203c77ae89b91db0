"""Solvers and network evaluations; no training changes, so all share the default's weights."""

from __future__ import annotations

from radpipe.ablations import Ablation

SOLVERS = {"ancestral": "ancestral", "ddim": "DDIM", "dpmpp_2m": "DPM-Solver++(2M)"}
STEPS = (5, 10, 25, 50, 100)

ABLATION = Ablation(
    title="Ablation: solver and number of network evaluations",
    axis="Solver, steps",
    variants={
        f"{solver}_{steps}": {"inpainters.rad.solver": solver, "inpainters.rad.steps": steps}
        for solver in SOLVERS
        for steps in STEPS
    },
    labels={
        f"{solver}_{steps}": f"{printed}, {steps}"
        for solver, printed in SOLVERS.items()
        for steps in STEPS
    },
    default_label="RAD (as in params.yaml)",
    paper="The paper uses 100 ancestral steps; no result for another number is known here.",
)
