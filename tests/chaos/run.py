"""`make chaos`: SIGKILL at random moments of a whole run; the same command, typed again, ends it.

A tiny DAG (training, sampling, evaluation, tables, figures) is run once undisturbed. Then it is run
again and killed, with all its processes, again and again at seeded random moments; nothing but the
same command is typed in between. After every kill the receipts that are there must be those of the
undisturbed run; at the end of a run all receipts, the names of all files, and what Snakemake and
DVC have left to do (nothing). A run that ends before its next kill makes room for a new one.

Receipts hold the sha256 of every file. Those of measured seconds (timing, and the table and figure
made from it) cannot be equal: of them the slice is compared, which holds all else.

Under SLURM (`--engines slurm`, a cluster must be up) the jobs outlive the Snakemake that is killed;
half of them are killed, too, and the others meet their double.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import tiny
import versioned

CHANGES = {
    "training__base__images": 640,
    "training__rad__images": 320,
    "inpainters__repaint": {"steps": 20, "jump_length": 2, "resamplings": 3},
    "resources__sample_batch": 1,
}
SLURM = (
    "snakemake", "--workflow-profile", "workflow/profiles/slurm",
    "--slurm-init-seconds-before-status-checks", "5", "--seconds-between-status-checks", "5",
)  # fmt: skip
COMMANDS = {
    "snakemake": ("snakemake", "--cores", "2", "all"),
    "dvc": ("dvc", "repro"),
    "slurm": (*SLURM, "all"),
}
PART = 4  # a kill comes within this part of an undisturbed run's time
COLUMNS = ("engine", "kill", "run", "seconds", "at work", "receipts", "same")


@dataclass
class Run:
    """A command in a folder, in a session of its own."""

    folder: Path
    engine: str

    def start(self) -> subprocess.Popen[bytes]:
        program, *arguments = COMMANDS[self.engine]
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as output:
            return subprocess.Popen(
                [str(tiny.BIN / program), *arguments], cwd=self.folder, stdout=output,
                stderr=output, env=tiny.environment(self.folder), start_new_session=True,
            )  # fmt: skip

    def finish(self) -> None:
        """Type the command and let it end."""
        process = self.start()
        if process.wait():
            log = (self.folder.parent / f"{self.folder.name}.log").read_text(errors="replace")
            raise SystemExit(f"{self.folder}: the command failed\n{log[-6000:]}")

    def kill(self, process: subprocess.Popen[bytes], rng: random.Random) -> str:
        """Kill all processes at once; returns the stages that were at work."""
        if self.engine == "slurm":
            return self._kill_jobs(process, rng)
        stages = sorted(_stages(process.pid))
        _kill_group(process)
        return " ".join(stages) or "the engine"

    def _kill_jobs(self, process: subprocess.Popen[bytes], rng: random.Random) -> str:
        _kill_group(process)
        listed = subprocess.run(
            ["squeue", "-h", "-t", "R", "-o", "%i %k"], capture_output=True, text=True, check=True
        ).stdout
        jobs = dict(line.split(maxsplit=1) for line in listed.splitlines())
        for number in jobs:
            if rng.random() < 0.5:
                subprocess.run(["scancel", "--full", "--signal=KILL", number], check=False)
        stages = {comment.removeprefix("rule_").split("_")[0] for comment in jobs.values()}
        return " ".join(sorted(stages)) or "the engine"


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _stages(group: int) -> Iterator[str]:
    """Stages whose jobs run in a process group."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if os.getpgid(int(entry.name)) == group:
                for word in (entry / "cmdline").read_text().split("\0"):
                    if word.startswith(".radpipe/slices/"):
                        yield word.split("/")[2]


def compare(run: Run, undisturbed: Path) -> str:
    """What differs at the end of a run; nothing, if all is well."""
    if versioned.receipts(run.folder) != versioned.receipts(undisturbed):
        return "receipts differ"
    others = versioned.names(run.folder) ^ versioned.names(undisturbed)
    if others:
        return f"files differ: {sorted(others)[:5]}"
    if not versioned.nothing_to_do(run.folder):
        return "Snakemake has something left to do"
    if run.engine == "dvc" and versioned.status(run.folder) != {}:
        return "DVC has something left to do"
    return ""


def chaos(
    engine: str, kills: int, seed: int, undisturbed: Path, whole: float
) -> Iterator[dict[str, object]]:
    """Kill runs of an engine; yields a row per kill."""
    rng, expected = random.Random(f"{engine} {seed}"), versioned.receipts(undisturbed)
    number, kill = 0, 0
    while kill < kills:
        number += 1
        work = undisturbed.parent
        run = Run(versioned.copy(work / "fresh", work / f"{engine}-{number}"), engine)
        while kill < kills:
            delay, process = rng.uniform(0, whole / PART), run.start()
            try:
                if process.wait(delay):
                    log = (run.folder.parent / f"{run.folder.name}.log").read_text()
                    raise SystemExit(f"{run.folder}: failed by itself\n{log[-6000:]}")
                break  # it has ended
            except subprocess.TimeoutExpired:
                kill += 1
                stages = run.kill(process, rng)
            there = versioned.receipts(run.folder)
            values = (engine, kill, number, round(delay, 1), stages, len(there))
            row = dict(zip(COLUMNS, (*values, there.items() <= expected.items()), strict=True))
            print("  ".join(f"{k} {v}" for k, v in row.items()), flush=True)
            yield row
        run.finish()
        wrong = compare(run, undisturbed)
        print(f"{engine}: run {number} ended {wrong or 'as the undisturbed one'}", flush=True)
        if wrong:
            raise SystemExit(f"{run.folder}: {wrong}")


def save(rows: list[dict[str, object]], path: Path) -> None:
    """Write the rows; those of other engines stay where they are."""
    ours, others = {row["engine"] for row in rows}, list[dict[str, object]]()
    if path.is_file():
        with path.open(newline="") as file:
            others = [dict(row) for row in csv.DictReader(file) if row["engine"] not in ours]
    rows = [*others, *rows]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=20, help="per engine")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--engines", nargs="+", default=["snakemake", "dvc"], choices=COMMANDS)
    parser.add_argument("--folder", type=Path, help="where to work; kept")
    parser.add_argument("--save", type=Path, help="write the table there, as CSV")
    options = parser.parse_args()
    work = options.folder or Path(tempfile.mkdtemp(prefix="radpipe-chaos."))
    work.mkdir(parents=True, exist_ok=True)
    for who in ("AUTHOR", "COMMITTER"):
        os.environ |= {f"GIT_{who}_NAME": "chaos", f"GIT_{who}_EMAIL": "chaos@localhost"}
    os.environ |= {"DVC_SITE_CACHE_DIR": str(work / "dvc-site")}

    fresh = work / "fresh"
    fresh.mkdir()
    versioned.start(fresh, **CHANGES)
    undisturbed = Run(versioned.copy(fresh, work / "undisturbed"), "snakemake")
    begun = time.monotonic()
    undisturbed.finish()
    whole = time.monotonic() - begun
    count = len(versioned.receipts(undisturbed.folder))
    print(f"undisturbed: {count} receipts in {whole:.0f} s ({work})")
    rows = []
    for engine in options.engines:
        for row in chaos(engine, options.kills, options.seed, undisturbed.folder, whole):
            rows.append(row)
            if options.save:
                save(rows, options.save)
    good = sum(bool(row["same"]) for row in rows)
    print(f"{good} of {len(rows)} kills left nothing but receipts of the undisturbed run")
    if good < len(rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
