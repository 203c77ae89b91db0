# Tables and figures: one file each in src/radpipe/report, which says what it reads.


report: "../report/workflow.rst"


# what `snakemake --report` shows, and how it calls it
SHOWN = {
    "table": {"html": "read", "csv": "numbers"},
    "figure": {"png": "picture", "pdf": "vector", "csv": "numbers"},
}


def shown(kind):
    """Outputs of a table or figure, flagged for the report."""
    outputs = STAGES[kind].outputs()
    for suffix, label in SHOWN[kind].items():
        outputs[f"name_{suffix}"] = report(
            outputs[f"name_{suffix}"],
            caption=f"../report/{kind}.rst",
            category=f"{kind.capitalize()}s",
            labels={kind: "{name}", "as": label},
        )
    return outputs


use rule job as table with:
    input:
        receipts("table"),
        slice=slice_of("table"),
        files=ancient(files_of("table")),
    output:
        **shown("table"),
    log:
        "results/logs/table/{name}.log",
    resources:
        runtime=minutes("table"),
        mem_mb=memory("table"),
    message:
        "table {wildcards.name}"


use rule job as figure with:
    input:
        receipts("figure"),
        slice=slice_of("figure"),
        files=ancient(files_of("figure")),
    output:
        **shown("figure"),
    log:
        "results/logs/figure/{name}.log",
    resources:
        runtime=minutes("figure"),
        mem_mb=memory("figure"),
    message:
        "figure {wildcards.name}"
