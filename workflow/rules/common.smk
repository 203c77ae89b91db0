# What rules take from the settings, and what all of them share.
import os
import sys
from pathlib import Path

from radpipe import params as radpipe_params
from radpipe.errors import UserError
from radpipe.files import require_writable
from radpipe.locks import remove_leftovers
from radpipe.pipeline import FOLDERS, STAGES, Pipeline
from radpipe.slices import prepare, slice_file

try:
    SETTINGS = radpipe_params.read(Path("params.yaml"))
except UserError as error:
    sys.exit(f"radpipe: {error}")
PIPELINE = Pipeline(SETTINGS)
SETTINGS_TEXT = Path("params.yaml").read_bytes()
# this environment's Python; by name, since Snakemake's records are published
os.environ["RADPIPE_PYTHON"] = sys.executable


wildcard_constraints:
    dataset="|".join(SETTINGS.datasets),
    method=r"[a-z0-9_]+(@(reference|[a-z0-9_]+-[a-z0-9_]+))?",
    variant=r"default|reference|[a-z0-9_]+-[a-z0-9_]+",
    mask=r"[a-z0-9_]+",
    shard=r"[0-9]+",
    name=r"[a-z0-9_]+",


def target(stage, wildcards):
    try:
        return PIPELINE.target(stage, **dict(wildcards.items()))
    except UserError as error:
        sys.exit(f"radpipe: {error}")


def slice_of(stage):
    """All that a job may see, as a file: its name changes with the settings and the code."""

    def path(wildcards):
        try:
            return str(slice_file(PIPELINE, target(stage, wildcards)))
        except UserError as error:
            sys.exit(f"radpipe: {error}")

    return path


def receipts(stage, upstream=None):
    """Receipts of the results that a job stands on (of one stage): compared by checksum."""
    return lambda wildcards: PIPELINE.receipts(target(stage, wildcards), upstream)


def files_of(stage):
    """Big files of the stages upstream: they must exist, their time stamps do not matter."""
    return lambda wildcards: PIPELINE.big_files(target(stage, wildcards))


def machine(wildcards):
    """How a job uses the machine: its data set's `resources`."""
    dataset = wildcards.get("dataset")
    settings = PIPELINE.resolved(dataset) if dataset else SETTINGS
    return settings.resources


def minutes(stage):
    """Time limit for a cluster."""
    return lambda wildcards: (
        machine(wildcards).minutes.get(stage, machine(wildcards).minutes["default"])
    )


def memory(stage):
    """Memory limit for a cluster, MB."""
    return lambda wildcards: (
        machine(wildcards).memory_mb.get(stage, machine(wildcards).memory_mb["default"])
    )


def gpu(wildcards):
    """GPUs of a job that is one process."""
    return machine(wildcards).gpus


def decoders(wildcards):
    """CPU threads of a job that decodes a whole data set."""
    return max(1, machine(wildcards).loader_workers)


def all_cores(wildcards):
    """Cores of a job that decodes or draws a whole data set; no influence on the result. On a
    cluster those that were asked for, not all that the node has."""
    cores = workflow.resource_settings.cores
    return cores if cores and not workflow.remote_exec else decoders(wildcards)


def whole_machine(wildcards):
    """All cores, so that nothing runs beside it; on a cluster a job is alone on its own."""
    cores = workflow.resource_settings.cores
    if workflow.remote_exec or not cores:
        return machine(wildcards).train_threads
    return cores


def processes(stage, wildcards):
    """Processes of a training; a network that is fetched, and LaMa's, are one."""
    trained = stage != "lama" and PIPELINE.trained_here(target(stage, wildcards))
    return machine(wildcards).processes if trained else 1


def training_gpus(stage):
    """GPUs of a training, on all its nodes."""
    return lambda wildcards: machine(wildcards).gpus * processes(stage, wildcards)


def training_threads(stage):
    """CPU threads of a training's processes on one node."""

    def threads(wildcards):
        used = machine(wildcards)
        on_one = max(1, processes(stage, wildcards) // used.nodes)
        return used.train_threads * on_one

    return threads


def training_nodes(stage):
    """Nodes that a training is spread over."""
    return lambda wildcards: (
        machine(wildcards).nodes if processes(stage, wildcards) > 1 else 1
    )


def training_tasks(stage):
    """Tasks for SLURM: it gives a job without GPUs no more nodes than tasks."""
    return lambda wildcards: (
        0 if machine(wildcards).gpus else training_nodes(stage)(wildcards)
    )


def report_files(kind):
    return [
        name
        for t in PIPELINE.report_targets()
        if t.stage.name == kind
        for name in t.outputs[1:]
    ]


def all_files():
    everything = PIPELINE.walk(PIPELINE.report_targets())
    return [name for t in everything for name in PIPELINE.kept(t)]


def checkpoint_receipts():
    trained = {"base", "rad", "lama"}
    everything = PIPELINE.walk(PIPELINE.report_targets())
    return [t.receipt for t in everything if t.stage.name in trained]


# a Snakemake that was killed does not keep the next one out
if workflow.is_main_process:
    remove_leftovers()


# results that are here and not of these settings or this code: why, in words
if workflow.is_main_process:
    for line in prepare(PIPELINE, PIPELINE.report_targets()):
        print(f"radpipe: changed since results were made: {line}", file=sys.stderr)


# before the first job, not in a dry run
onstart:
    try:
        require_writable(Path(name) for name in ("results", *FOLDERS))
    except UserError as error:
        sys.exit(f"radpipe: {error}")


# `dvc repro` reads params.yaml when Snakemake has ended: it would record the edited settings beside
# results of the ones that this run began with
onsuccess:
    if Path("params.yaml").read_bytes() != SETTINGS_TEXT:
        edited = UserError(
            "the settings were edited during the run; its results are those of the settings before",
            "params.yaml",
            "type the same again for the new ones",
        )
        sys.exit(f"radpipe: {edited}")


# A job is `radpipe run` on its slice; every rule below is this one with its own files.
rule job:
    threads: 1
    shell:
        '"$RADPIPE_PYTHON" -m radpipe.cli run {input.slice:q} --threads {threads} --log {log:q}'
