# Settings, wildcards and the functions that rules take their inputs and slices from.
import os
import sys
from pathlib import Path

from radpipe import settings as radpipe_settings
from radpipe.errors import UserError
from radpipe.files import require_writable
from radpipe.pipeline import FOLDERS, STAGES, Pipeline

try:
    SETTINGS = radpipe_settings.read(Path("params.yaml"))
except UserError as error:
    sys.exit(f"radpipe: {error}")
PIPELINE = Pipeline(SETTINGS)
SETTINGS_TEXT = Path("params.yaml").read_bytes()
# this environment's Python; by name, since Snakemake's records are published
os.environ["RADPIPE_PYTHON"] = sys.executable
RUN = '"$RADPIPE_PYTHON" -m radpipe.cli run'


wildcard_constraints:
    dataset="|".join(SETTINGS.datasets),
    method=r"[a-z0-9_]+(@(reference|[a-z0-9_]+-[a-z0-9_]+))?",
    variant=r"default|reference|[a-z0-9_]+-[a-z0-9_]+",
    mask=r"[a-z0-9_]+",
    family=r"[a-z0-9_]+",
    shard=r"[0-9]+",
    name=r"[a-z0-9_]+",


def target(stage, wildcards):
    try:
        return PIPELINE.target_of(stage, dict(wildcards.items()))
    except UserError as error:
        sys.exit(f"radpipe: {error}")


def receipts_of(stage):
    """Edges to the stages upstream: small files, compared by checksum."""
    return lambda wildcards: PIPELINE.receipts(target(stage, wildcards))


def files_of(stage):
    """Big files of the stages upstream: they must exist, their time stamps do not matter."""
    return lambda wildcards: PIPELINE.big_files(target(stage, wildcards))


def slice_of(stage):
    """The stage's single parameter: all that it may see, as canonical JSON."""
    return lambda wildcards: PIPELINE.slice(target(stage, wildcards))


def machine(wildcards):
    """How a job uses the machine: its data set's `resources`."""
    dataset = wildcards.get("dataset")
    settings = PIPELINE.resolved(dataset) if dataset else SETTINGS
    return settings.resources


def minutes(stage):
    """Time limit for a cluster."""

    def limit(wildcards):
        given = machine(wildcards).minutes
        return given.get(stage, given["default"])

    return limit


def memory(stage):
    """Memory limit for a cluster, MB."""

    def limit(wildcards):
        given = machine(wildcards).memory_mb
        return given.get(stage, given["default"])

    return limit


def gpu(wildcards):
    """GPUs of a job that is one process."""
    return machine(wildcards).gpus


def decoders(wildcards):
    """CPU threads of a job that decodes a whole data set."""
    return max(1, machine(wildcards).loader_workers)


def whole_machine(wildcards):
    """All cores, so that nothing runs beside it; on a cluster a job is alone on its own."""
    cores = workflow.resource_settings.cores
    if workflow.remote_exec or not cores:
        return machine(wildcards).train_threads
    return cores


def trained_here(wildcards):
    """Whether a base network or RAD is trained: a base network may be fetched instead."""
    dataset = PIPELINE.resolved(wildcards.dataset).datasets[wildcards.dataset]
    return "variant" in dict(wildcards.items()) or dataset.base == "train"


def training_gpus(wildcards):
    """GPUs of a training, on all its nodes."""
    used = machine(wildcards)
    return used.gpus * used.processes if trained_here(wildcards) else 0


def training_threads(wildcards):
    """CPU threads of a training's processes on one node."""
    used = machine(wildcards)
    processes = used.processes // used.nodes if trained_here(wildcards) else 1
    return used.train_threads * processes


def training_nodes(wildcards):
    return machine(wildcards).nodes if trained_here(wildcards) else 1


def report_files(kind):
    return [
        f"{STAGES[kind].folder}/{extra}".format(name=t["name"])
        for t in PIPELINE.report_targets()
        if t.stage == kind
        for extra in STAGES[kind].extras
    ]


def all_files():
    everything = PIPELINE.walk(PIPELINE.report_targets())
    return [name for t in everything for name in PIPELINE.kept(t)]


def checkpoint_receipts():
    trained = {"base", "rad", "lama"}
    everything = PIPELINE.walk(PIPELINE.report_targets())
    return [PIPELINE.place(t)["receipt"] for t in everything if t.stage in trained]


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
