"""Launching on several processes, and keeping GPUs apart."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from radpipe import params
from radpipe.devices import claim_gpu
from radpipe.errors import UserError
from radpipe.launch import command, outside_of_the_step, trains
from radpipe.settings import Resources

ROOT = Path(__file__).parent.parent
WHO = """
import sys
from accelerate import Accelerator
a = Accelerator(cpu=True)
open(sys.argv[1] + str(a.process_index), "w").write(f"{a.num_processes}")
"""


def resources(**changes: object) -> Resources:
    return params.read(ROOT / "params.yaml").resources.model_copy(update=changes)


def test_processes_are_started_and_know_each_other(tmp_path: Path) -> None:
    script = tmp_path / "who.py"
    script.write_text(WHO)
    call = command([str(script), f"{tmp_path}/rank"], resources(processes=2), {})
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [(tmp_path / f"rank{rank}").read_text() for rank in (0, 1)] == ["2", "2"]


@pytest.mark.parametrize(
    ("stage", "source", "many"),
    [
        ("base", "train", True),
        ("base", "adm-ffhq256", False),
        ("rad", "train", True),
        ("rad", "authors-ffhq256", False),
        ("lama", "train", False),
    ],
)
def test_a_network_that_is_fetched_needs_no_processes(stage: str, source: str, many: bool) -> None:
    assert trains({"stage": stage, "settings": {"source": source}}) == many


def test_the_step_of_many_nodes_starts_from_the_job() -> None:
    """`srun` inside of a step on one node would see that node alone."""
    step = {"SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "a", "SLURM_NNODES": "1", "HOME": "/"}
    assert outside_of_the_step(step) == {"SLURM_JOB_ID": "7", "HOME": "/"}


def test_trainings_on_the_same_first_node_do_not_share_a_port() -> None:
    settings = resources(processes=2, nodes=2)
    ports = []
    for number in ("7", "8"):
        call = command(["x.py"], settings, {"SLURM_JOB_ID": number})
        ports.append(call[call.index("--main_process_port") + 1])
    assert ports[0] != ports[1]


def test_two_nodes_find_each_other(tmp_path: Path) -> None:
    """What `srun` starts on each node, started twice here: the same command, word for word."""
    script = tmp_path / "who.py"
    script.write_text(WHO)
    job = {"SLURM_JOB_ID": "1", "RADPIPE_PORT": str(free_port())}
    call = command([str(script), f"{tmp_path}/rank"], resources(processes=2, nodes=2), job)
    assert call[0] == "srun" and "--nodes=2" in call and "--ntasks-per-node=1" in call
    node = call[call.index("bash") :]
    node[node.index("--main_process_ip") + 1] = "127.0.0.1"  # this machine's name may not resolve
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    nodes = [
        subprocess.Popen(
            node, env=environment | {"SLURM_NODEID": str(number)}, stderr=subprocess.DEVNULL
        )
        for number in range(2)
    ]
    assert [running.wait(timeout=120) for running in nodes] == [0, 0]
    assert [(tmp_path / f"rank{rank}").read_text() for rank in (0, 1)] == ["2", "2"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nodes_need_slurm() -> None:
    with pytest.raises(UserError, match="SLURM"):
        command(["x.py"], resources(processes=2, nodes=2), {})


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Device files of two GPUs, no scheduler."""
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    return tmp_path


CLAIM = """
import sys
from pathlib import Path
from radpipe.devices import claim_gpu
print(claim_gpu(Path(sys.argv[1]), "auto", Path(sys.argv[2])), flush=True)
sys.stdin.read()
"""


def test_jobs_side_by_side_get_a_gpu_each(cards: Path) -> None:
    call = [sys.executable, "-c", CLAIM, str(cards / "locks"), str(cards)]
    jobs = []
    try:
        for expected in ("0", "1", "None"):
            jobs.append(
                subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            assert jobs[-1].stdout.readline().strip() == expected
        jobs[0].communicate()  # ends: its GPU is free again
        assert claim_gpu(cards / "locks", "auto", cards) == 0
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    finally:
        for job in jobs[1:]:
            job.communicate()


@pytest.mark.parametrize(
    ("variable", "device"), [("CUDA_VISIBLE_DEVICES", "auto"), ("LOCAL_RANK", "auto"), ("X", "cpu")]
)
def test_what_is_chosen_already_stays(
    cards: Path, monkeypatch: pytest.MonkeyPatch, variable: str, device: str
) -> None:
    monkeypatch.setenv(variable, "1")
    assert claim_gpu(cards / "locks", device, cards) is None
