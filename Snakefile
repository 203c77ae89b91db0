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


# every table and figure of the current settings, and all that they stand on: a result that is
# missing is made again, also where the tables that were made from it are still good
rule all:
    default_target: True
    input:
        all_files(),
    message:
        "all results are there"


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
