"""`radpipe dag`: which stage stands on which, as a picture that GitHub draws (Mermaid)."""

from __future__ import annotations

from functools import cache

from radpipe.pipeline import Pipeline

WHAT = {
    "data": "images",
    "bank": "training masks",
    "holes": "test masks",
    "base": "ADM network",
    "rad": "RAD adapter",
    "lama": "LaMa",
    "sample": "inpainted images",
    "reference": "feature statistics",
    "evaluate": "scores",
    "draws": "several answers, animation",
    "timing": "seconds, memory",
    "gaussian": "closed-form check",
    "table": "tables, claims",
    "figure": "figures",
}


def picture(pipeline: Pipeline) -> str:
    """The stages that the settings lead to and their edges, inputs first; where a longer way leads
    from one stage to another, that one is shown."""
    targets = list(pipeline.walk(pipeline.report_targets()))
    stages = dict.fromkeys(target.stage.name for target in targets)
    edges = dict.fromkeys(
        (upstream.stage.name, target.stage.name)
        for target in targets
        for upstream in pipeline.upstream(target)
    )

    @cache
    def below(stage: str) -> set[str]:
        direct = {source for source, to in edges if to == stage}
        return direct.union(*map(below, direct))

    lines = [f'    {name}["{name}: {WHAT.get(name, name)}"]' for name in stages]
    for source, to in edges:
        if not any(source in below(between) for between, end in edges if end == to):
            lines.append(f"    {source} --> {to}")
    return "\n".join(["flowchart LR", *lines])
