"""`radpipe`: what the rules call (`run`) and what people type."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from radpipe import __version__, params
from radpipe.errors import UserError
from radpipe.pipeline import Pipeline

app = typer.Typer(
    help="Region-aware diffusion inpainting (RAD) as a workflow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Dataset = Annotated[
    str | None, typer.Option(help="whose networks; the first of params.yaml if none")
]
Project = Annotated[Path, typer.Option(help="folder of params.yaml and results/")]


def _here() -> tuple[Pipeline, Path]:
    """The DAG of the settings in this folder, and the folder."""
    return Pipeline(params.read()), Path.cwd()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print it and exit")
    ] = False,
) -> None:
    """Options of every command."""


@app.command(hidden=True)
def run(
    slice_file: Annotated[Path, typer.Argument(metavar="SLICE", help="all that the job may see")],
    threads: Annotated[int, typer.Option(help="CPU threads that the scheduler granted")] = 1,
    log: Annotated[Path | None, typer.Option(help="also write log lines here")] = None,
) -> None:
    """Run one stage of the DAG; called by Snakemake's rules."""
    from radpipe.devices import claim_gpu
    from radpipe.job import Job
    from radpipe.launch import is_main, launched, relaunch
    from radpipe.locks import done_by_another

    settings = params.read()
    job = Job.read(slice_file, Path(), settings.resources, threads)
    dataset = job.wildcards.get("dataset")
    if dataset in settings.datasets:
        job = replace(job, resources=settings.resolve(dataset).resources)
    if not launched() and done_by_another(job):
        return
    relaunch(job.slice, job.resources)
    claim_gpu(Path(".radpipe/gpus"), job.resources.device)
    if log is not None and is_main():
        log.parent.mkdir(parents=True, exist_ok=True)
        logging.getLogger("radpipe").addHandler(logging.FileHandler(log, mode="w"))
    job.require_current()
    importlib.import_module(f"radpipe.stages.{job.stage}").run(job)


@app.command()
def inpaint(
    picture: Annotated[Path, typer.Argument(help="any picture, or a folder of them")],
    mask: Annotated[
        Path, typer.Argument(help="white = hole, or transparent; a folder: a mask of each name")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="file to write, its ending the format; a folder's folder"),
    ] = None,
    dataset: Dataset = None,
    method: Annotated[str, typer.Option(help="a method of params.yaml")] = "rad",
    seed: Annotated[int, typer.Option(min=0, help="of the noise")] = 0,
    samples: Annotated[int, typer.Option(min=1, help="answers; several: a contact sheet, too")] = 1,
    steps: Annotated[int | None, typer.Option(min=1, help="instead of params.yaml's")] = None,
    crop: Annotated[
        Literal["auto", "whole", "none"],
        typer.Option(help="auto: a square around each hole; whole: all of it; none: as it is"),
    ] = "auto",
    animate: Annotated[bool, typer.Option("--animate", help="also a GIF of the way there")] = False,
    threshold: Annotated[
        int, typer.Option(min=1, max=255, help="grey level of the mask from which it is hole")
    ] = 128,
    invert: Annotated[bool, typer.Option("--invert", help="black = hole")] = False,
    resize_mask: Annotated[
        bool, typer.Option("--resize-mask", help="bring a mask of another size to the picture's")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="inputs, and results that are there already")
    ] = False,
    project: Project = Path(),
) -> None:
    """Fill the white part of MASK in PICTURE, whatever its size; the rest stays as it is."""
    from radpipe.inpainting.files import Options, command
    from radpipe.inpainting.fill import load

    options = Options(seed, samples, crop, animate, threshold, invert, resize_mask, overwrite)
    out = out or Path("inpainted" if picture.is_dir() else "inpainted.png")
    command(load(method, dataset, steps, project), picture, mask, out, options, typer.echo)


@app.command()
def page(
    dataset: Dataset = None,
    port: Annotated[int | None, typer.Option(help="of 127.0.0.1; a free one if none")] = None,
    project: Project = Path(),
) -> None:
    """Serve a page on this machine to paint a hole and watch methods fill it."""
    from radpipe.inpainting.serve import serve

    serve(project, dataset, port)


@app.command()
def plan(
    targets: Annotated[
        list[str] | None,
        typer.Argument(help="result files, receipts or stages; the main table if none"),
    ] = None,
    gpu: Annotated[
        str, typer.Option(help="V100, A100, H100, H200, RTX3090, RTX4090, or cpu")
    ] = "A100",
    efficiency: Annotated[
        float | None,
        typer.Option(min=0.01, max=1.0, help="share of the GPU's peak that is reached; else 0.2"),
    ] = None,
    paper: Annotated[bool, typer.Option("--paper", help="for the paper's data sets")] = False,
) -> None:
    """Print what a target costs: jobs, network evaluations, TFLOP, GPU hours, bytes."""
    from radpipe import plan as planning

    settings = params.read()
    if paper:
        settings = planning.paper(settings)
    typer.echo(planning.plan(settings, targets or [], gpu, efficiency))


@app.command()
def doctor() -> None:
    """Say what this machine has and whether the project can work here."""
    from radpipe.doctor import report

    rows = report(Path.cwd())
    for what, found, fine in rows:
        typer.echo(f"{'ok ' if fine else 'BAD'} {what:18} {found}")
    if not all(fine for _, _, fine in rows):
        raise typer.Exit(1)


@app.command()
def show(paths: Annotated[list[Path], typer.Argument(help="tables (.csv) and figures")]) -> None:
    """Print the main table for the terminal and say where the files are."""
    from radpipe.report.show import show as text

    typer.echo(text(paths))


@app.command()
def explain(
    table: Annotated[Path, typer.Argument(help="results/tables/main.csv")],
    method: Annotated[str, typer.Argument()],
    mask: Annotated[str, typer.Argument()],
    metric: Annotated[str, typer.Argument()],
    dataset: Annotated[str | None, typer.Option(help="where the table has several")] = None,
) -> None:
    """Print the chain from one number to its images, networks, settings and checksums."""
    from radpipe.verbs.explain import explain as chain

    typer.echo(chain(*_here(), table, method, mask, metric, dataset))


@app.command()
def verify(
    everything: Annotated[
        bool, typer.Option("--all", help="every image, score and claim; minutes to hours")
    ] = False,
    share: Annotated[int, typer.Option(min=1, help="images of each cell")] = 4,
    cores: Annotated[str, typer.Option(help="for Snakemake, with --all")] = "all",
) -> None:
    """Make images of the main table again from the networks, and compare."""
    from radpipe.verbs.remake import remake
    from radpipe.verbs.verify import verify as compare

    found = remake(*_here(), cores) if everything else compare(*_here(), share)
    typer.echo(str(found))
    if found.faults:
        raise typer.Exit(1)


@app.command()
def accept(
    yes: Annotated[
        bool, typer.Option("--yes", help="I know that the new code computes the same")
    ] = False,
) -> None:
    """Keep results made by older code; refuses where a setting changed."""
    from radpipe.verbs.accept import accept as stamp

    if not yes:
        raise UserError("nothing was accepted", do="say that you know: radpipe accept --yes")
    done = stamp(*_here())
    for path, why in done.refused.items():
        typer.echo(f"refused   {path}: {why}")
    typer.echo("\n".join(f"accepted  {path}" for path in done.stamped))
    typer.echo(f"{len(done.stamped)} accepted; now: snakemake --cores 1 --touch all")


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(help="entries of workflow/assets.yaml")],
    file: Annotated[
        Path | None, typer.Option("--from", help="a file at hand that is to be the one NAME")
    ] = None,
) -> None:
    """Download files into the cache before they are needed, where there is network."""
    from radpipe.assets import announce, cache_folder, take
    from radpipe.assets import fetch as download

    if file is not None:
        if len(names) != 1:
            raise UserError("one file is one download", "--from", "name one")
        typer.echo(str(take(names[0], file, cache_folder())))
        return
    announce(names, cache_folder())
    typer.echo("\n".join(str(download(name, cache_folder())) for name in names))


@app.command()
def pull() -> None:
    """Fetch cached results where there are any; never overwrites work that is only here."""
    from radpipe.verbs.remote import pull as bring

    bring(Path.cwd())


@app.command()
def publish() -> None:
    """Put the recorded results into the remote that is part of the repository."""
    from radpipe.verbs.remote import publish as put

    typer.echo(put(*_here()))


@app.command()
def dag() -> None:
    """Print which stage stands on which, as a Mermaid picture."""
    from radpipe.verbs.picture import picture

    typer.echo(picture(Pipeline(params.read())))


@app.command()
def readme() -> None:
    """Bring the tables and the picture in README.md up to date with the results."""
    from radpipe.verbs.readme import write

    changed = write(*_here())
    typer.echo(f"changed: {', '.join(changed) or 'nothing'}")


@app.command()
def restore(
    yes: Annotated[bool, typer.Option("--yes", help="lose results that are only here")] = False,
) -> None:
    """Go back to the settings and results of the last commit, from whatever state."""
    from radpipe.verbs.restore import restore as back

    back(Path.cwd(), yes)
    typer.echo("settings, tables and results are those of the last commit")


@app.command()
def prune(
    yes: Annotated[bool, typer.Option("--yes", help="remove them")] = False,
) -> None:
    """List files under results/ that the settings no longer lead to."""
    from radpipe.verbs import prune as pruning

    found = pruning.orphans(*_here())
    typer.echo("\n".join(str(path) for path in found) or "no orphans")
    if yes and found:
        pruning.remove(found, Path.cwd())
        typer.echo(f"{len(found)} removed; now: dvc repro")
    elif found:
        typer.echo(f"{len(found)} orphans; to remove them: radpipe prune --yes")


@app.command()
def bench(
    repeats: Annotated[int, typer.Option(min=1, help="timed turns")] = 5,
    quick: Annotated[bool, typer.Option(help="skip the 256x256 network")] = False,
) -> None:
    """Measure training, sampling and RAD's embedding on this machine, as ratios."""
    from radpipe.bench import bench as measure

    measure(typer.echo, repeats, quick)


def main() -> None:
    """Entry point: a UserError is a message and exit status 1; anything else is a bug."""
    from radpipe.progress import setup_logging

    # analytics of the libraries below stay off
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    # waiting threads spin for some microseconds, then sleep: spinning on (the default) is a
    # hundred times slower on a machine that is busy otherwise, never spinning is half as fast
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    # PyTorch asks for large pages: a training is 5 to 10 % faster with less to look up
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    setup_logging()
    try:
        app()
    except UserError as error:
        logging.getLogger("radpipe").error("radpipe: %s", error)
        sys.exit(1)
    except KeyboardInterrupt:
        logging.getLogger("radpipe").error("radpipe: interrupted; run the same command to go on")
        sys.exit(130)


if __name__ == "__main__":
    main()
