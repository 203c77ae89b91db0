# Scores of every cell, and the timing of every method.


rule reference:
    input:
        receipts_of("reference"),
        files=ancient(files_of("reference")),
    output:
        **STAGES["reference"].outputs(),
    log:
        "results/logs/reference/{dataset}.log",
    threads: decoders
    resources:
        runtime=minutes("reference"),
        mem_mb=memory("reference"),
        gpu=gpu,
    params:
        slice=slice_of("reference"),
    message:
        "reference statistics of {wildcards.dataset}"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"


rule evaluate:
    input:
        receipts_of("evaluate"),
        files=ancient(files_of("evaluate")),
    output:
        **STAGES["evaluate"].outputs(),
    log:
        "results/logs/evaluate/{dataset}-{method}-{mask}.log",
    threads: 1
    resources:
        runtime=minutes("evaluate"),
        mem_mb=memory("evaluate"),
        gpu=gpu,
    params:
        slice=slice_of("evaluate"),
    message:
        "scores of {wildcards.method} on {wildcards.mask} ({wildcards.dataset})"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"


rule timing:
    input:
        receipts_of("timing"),
        files=ancient(files_of("timing")),
    output:
        **STAGES["timing"].outputs(),
    log:
        "results/logs/timing/{dataset}.log",
    threads: whole_machine
    resources:
        runtime=minutes("timing"),
        mem_mb=memory("timing"),
        gpu=gpu,
    params:
        slice=slice_of("timing"),
    message:
        "times all methods on {wildcards.dataset}, one at a time"
    shell:
        "{RUN} {params.slice:q} --threads {threads} --log {log}"
