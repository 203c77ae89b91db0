"""One job on many processes: `accelerate launch` around the same command.

A training whose settings ask for several processes starts itself anew under `accelerate launch`;
everything else runs where it is. So does LaMa's: its batch statistics are those of a whole batch,
which a split over processes would change.

On SLURM with several nodes, `srun` puts one launcher on each, and the launchers find each other
at the first node's address.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from radpipe.errors import UserError

if TYPE_CHECKING:
    from radpipe.settings import Resources

TRAIN = "train"  # as `settings.TRAIN`; this module is below the settings
TRAININGS = frozenset({"base", "rad"})


def launched() -> bool:
    """Whether a launcher started this process."""
    return "LOCAL_RANK" in os.environ


def is_main() -> bool:
    """Whether this process speaks and writes: the only one, or the first of many."""
    return os.environ.get("RANK", "0") == "0"


def command(
    arguments: list[str], resources: Resources, environment: Mapping[str, str] = os.environ
) -> list[str]:
    """The command that runs `python ARGUMENTS` on all processes of a training.

    Args:
        arguments: after the interpreter: `-m`, a module, its arguments.
        resources: `processes` in all, on `nodes` nodes.
        environment: to see whether SLURM is there, and for RADPIPE_PORT (default: by the
            number of the job).

    Raises:
        UserError: several nodes, but not inside of a SLURM job.
    """
    options = ["--multi_gpu", "--num_processes", str(resources.processes)]
    options += ["--num_machines", str(resources.nodes)]
    options += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    if resources.nodes == 1:
        call = [sys.executable, "-m", "accelerate.commands.launch", *options]
        return [*call, "--main_process_port", "0", *arguments]
    if "SLURM_JOB_ID" not in environment:
        raise UserError(
            "several nodes are started by SLURM only",
            "params.yaml, key `resources.nodes`",
            "type: snakemake --workflow-profile workflow/profiles/slurm, or set it to 1",
        )
    nodes = str(resources.nodes)
    # two such jobs may share their first node
    own_port = 20_000 + int(environment["SLURM_JOB_ID"]) % 10_000
    port = environment.get("RADPIPE_PORT", str(own_port))
    meet = ["--main_process_ip", socket.gethostname(), "--main_process_port", port]
    step = ["srun", "--overlap", "--kill-on-bad-exit=1", f"--nodes={nodes}", f"--ntasks={nodes}"]
    # each node's launcher is told its number, which only the node itself knows
    start = 'exec "$0" -m accelerate.commands.launch --machine_rank "$SLURM_NODEID" "$@"'
    shell = ["bash", "-c", start, sys.executable]
    return [*step, "--ntasks-per-node=1", *shell, *options, *meet, *arguments]


def trains(slice: Mapping[str, Any]) -> bool:
    """Whether a job is a training of many processes; a network that is fetched is not."""
    return slice["stage"] in TRAININGS and slice["settings"]["source"] == TRAIN


def relaunch(slice: Mapping[str, Any], resources: Resources) -> None:
    """Become the launcher of many processes, if the job and the settings ask for that.

    Args:
        slice: of the job.
        resources: how the machine is used.
    """
    if trains(slice) and resources.processes > 1 and not launched():
        arguments = ["-m", "radpipe.cli", *sys.argv[1:]]
        call = command(arguments, resources)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execvpe(call[0], call, outside_of_the_step(os.environ))


def outside_of_the_step(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what SLURM says of the present step, which is on one node: an `srun`
    would take its nodes for all that the job has."""
    kept = {"SLURM_JOB_ID", "SLURM_CONF"}
    return {k: v for k, v in environment.items() if not k.startswith("SLURM_") or k in kept}
