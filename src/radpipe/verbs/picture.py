"""`radpipe dag`: which stage stands on which, as a picture that GitHub draws (Mermaid)."""

from __future__ import annotations

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
    """The stages that the settings lead to and their edges, inputs first."""
    targets = list(pipeline.walk(pipeline.report_targets()))
    stages = dict.fromkeys(target.stage.name for target in targets)
    edges = dict.fromkeys(
        (upstream.stage.name, target.stage.name)
        for target in targets
        for upstream in pipeline.upstream(target)
    )
    lines = [f'    {name}["{name}: {WHAT.get(name, name)}"]' for name in stages]
    lines += [f"    {source} --> {to}" for source, to in edges if not _implied(source, to, edges)]
    return "\n".join(["flowchart LR", *lines])


def _implied(source: str, to: str, edges: dict[tuple[str, str], None]) -> bool:
    """Whether a longer way leads from one stage to the other: the picture shows that one."""
    seen, queue = set(), [end for start, end in edges if start == source and end != to]
    while queue:
        name = queue.pop()
        if name == to:
            return True
        if name not in seen:
            seen.add(name)
            queue += [end for start, end in edges if start == name]
    return False
