# Tables and figures: one file each in src/radpipe/report.
from radpipe.report import load as load_report
from radpipe.report import names as report_names


report: "../report/workflow.rst"


# What `snakemake --report` shows: one row per table (its page) and figure (its picture), so that a
# click shows something; the main table and the qualitative figure come first, and are on the first
# page, too. What to see in each is said by its own file.
SHOWN = {"table": "html", "figure": "png"}
FIRST = {"main", "qualitative"}
config["captions"] = {
    kind: {name: load_report(kind, name).CAPTION for name in report_names(kind)}
    for kind in SHOWN
}


def category(kind):
    """A report sorts categories by name."""
    others = {"table": "2. Tables", "figure": "3. Figures"}[kind]
    return lambda wildcards: "1. Start here" if wildcards.name in FIRST else others


def labels(kind):
    """One column: the name and, in a line, what it is. Of two columns a report makes a switch."""

    def of(wildcards):
        line = load_report(kind, wildcards.name).__doc__.partition("\n")[0]
        return {"shows": f"{wildcards.name.replace('_', ' ')}: {line}"}

    return of


def shown(kind):
    """Outputs of a table or figure, one of them flagged for the report."""
    outputs = STAGES[kind].outputs()
    name = f"name_{SHOWN[kind]}"
    outputs[name] = report(
        outputs[name],
        caption="../report/caption.rst",
        category=category(kind),
        labels=labels(kind),
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
