# Tables and figures: one file each in src/radpipe/report.


rule table:
    input:
        receipts_of("table"),
        files=ancient(files_of("table")),
    output:
        **STAGES["table"].outputs(),
    log:
        "results/logs/table/{name}.log",
    threads: 1
    resources:
        runtime=minutes("table"),
        mem_mb=memory("table"),
    params:
        slice=slice_of("table"),
    message:
        "table {wildcards.name}"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"


rule figure:
    input:
        receipts_of("figure"),
        files=ancient(files_of("figure")),
    output:
        **STAGES["figure"].outputs(),
    log:
        "results/logs/figure/{name}.log",
    threads: 1
    resources:
        runtime=minutes("figure"),
        mem_mb=memory("figure"),
    params:
        slice=slice_of("figure"),
    message:
        "figure {wildcards.name}"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"
