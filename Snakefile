# The one DAG. Stages, their slices and edges: src/radpipe/pipeline.py. Settings: params.yaml.


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


localrules:
    all,
    tables,
    figures,
    checkpoints,
    demo,


# every table and figure of the current settings
rule all:
    default_target: True
    input:
        report_files("table"),
        report_files("figure"),


rule tables:
    input:
        report_files("table"),


rule figures:
    input:
        report_files("figure"),


# every trained network of the current settings
rule checkpoints:
    input:
        checkpoint_receipts(),


# what `make demo` shows
rule demo:
    input:
        "results/tables/main.csv",
        "results/figures/qualitative.png",
