#!/usr/bin/env bash
# The tiny DAG on a real SLURM of one node, through workflow/profiles/slurm: installs Debian's
# packages, starts munge, slurmctld and slurmd in a temporary folder, runs everything with two
# processes per training, kills the base training, and checks that it went on where it was.
#
# As root, on Debian or Ubuntu:   tests/slurm/run.sh        (about 5 minutes on two cores)
# Stops what it started, also when it fails. The folder with all logs is kept and named.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-$PWD/.venv/bin/python}
PATH=$(dirname "$PYTHON"):$PATH
WORK=$(mktemp -d -t radpipe-slurm.XXXXXX)
RUN=$WORK/radpipe
# jobs find it there only: Snakemake's steps start with a clean environment
CONF=/etc/slurm/slurm.conf
export PYTHONPATH=$RUN/src OMP_NUM_THREADS=1

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }

stop() {
  squeue -h -o %i 2>/dev/null | xargs -r scancel 2>/dev/null || true
  [ -z "$(jobs -p)" ] || sleep 3
  grep -qs "$WORK" "$CONF" && rm "$CONF"
  # the children of this script: daemons, the watcher, Snakemake
  for signal in TERM KILL; do
    for pid in $(jobs -p); do kill -s "$signal" "$pid" 2>/dev/null || true; done
    sleep 2
  done
  say "stopped; logs: $WORK"
}
trap stop EXIT

install() {
  for tool in munged slurmctld slurmd sinfo; do
    command -v "$tool" > /dev/null && continue
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      munge slurmctld slurmd slurm-client > "$WORK/apt.log" 2>&1
    return
  done
}

start_slurm() {
  [ ! -e "$CONF" ] || { say "this machine has a SLURM already: $CONF"; exit 1; }
  mkdir -p "$WORK/ctld" "$WORK/d" "$WORK/munge"
  chmod 755 "$WORK"
  head -c 1024 /dev/urandom > "$WORK/munge/key"
  chmod 600 "$WORK/munge/key"
  # the socket is the packages' own, which the SLURM libraries look for
  mkdir -p /run/munge && chown root:root /run/munge && chmod 755 /run/munge
  chmod 700 "$WORK/munge"
  munged --foreground --force --key-file "$WORK/munge/key" --pid-file "$WORK/munge/pid" \
    --seed-file "$WORK/munge/seed" --log-file "$WORK/munge/log" \
    --socket /run/munge/munge.socket.2 > "$WORK/munge/out" 2>&1 &
  local host memory
  host=$(hostname -s)
  memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.95)}' /proc/meminfo)
  mkdir -p "${CONF%/*}"
  cat > "$CONF" << EOF
ClusterName=tiny
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$WORK/ctld
SlurmdSpoolDir=$WORK/d
SlurmctldPidFile=$WORK/slurmctld.pid
SlurmdPidFile=$WORK/slurmd.pid
SlurmctldLogFile=$WORK/slurmctld.log
SlurmdLogFile=$WORK/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=5
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc --all) RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
EOF
  sleep 1
  slurmctld -D > "$WORK/slurmctld.out" 2>&1 &
  sleep 2
  slurmd -D > "$WORK/slurmd.out" 2>&1 &
  for _ in $(seq 60); do
    sinfo -h -o %T 2>/dev/null | grep -q idle && return
    sleep 1
  done
  say "SLURM did not start"
  tail -n 20 "$WORK"/slurm*.log "$WORK"/slurm*.out
  exit 1
}

# the repository with tiny settings; the base training long enough to be caught at work
clone() {
  PYTHONPATH=$PWD/src:$PWD/tests "$PYTHON" - "$RUN" << 'EOF'
import sys
from pathlib import Path

import tiny

folder = Path(sys.argv[1])
folder.mkdir()
changes = {
    "training.base.images": 640,
    "resources.processes": 2,
    "resources.save_seconds": 1,
    "resources.sample_shards": {"default": 1, "repaint": 2},
}
tiny.clone(folder, **{key.replace(".", "__"): value for key, value in changes.items()})
EOF
}

snake() {
  (cd "$RUN" && exec snakemake --workflow-profile workflow/profiles/slurm \
    --slurm-init-seconds-before-status-checks 5 --seconds-between-status-checks 5 "$@")
}

# waits until the base training has saved its state, then kills its SLURM job with SIGKILL
kill_training() {
  local log=$RUN/results/logs/base/emoji.log job=
  for _ in $(seq 600); do
    compgen -G "$RUN/.radpipe/resume/*/state.pt" > /dev/null && break
    sleep 1
  done
  job=$(squeue -h -t R -o '%i %k' | awk '/rule_base/ {print $1; exit}')
  [ -n "$job" ] || { say "no running base training to kill"; return 1; }
  scancel --full --signal=KILL "$job"
  say "killed the base training, SLURM job $job"
  echo "$job" > "$WORK/killed"
  for _ in $(seq 600); do
    grep -q 'resumes at image' "$log" 2>/dev/null && break
    sleep 1
  done
  grep -h 'resumes at image' "$log" | tee "$WORK/resumed"
}

install
start_slurm
say "SLURM $(sinfo --version | cut -d' ' -f2) with $(nproc --all) CPUs"
clone
kill_training &
killer=$!
begun=$SECONDS
snake all > "$WORK/snakemake.log" 2>&1 & # in the background, so that a signal ends it, too
wait $! || { tail -n 60 "$WORK/snakemake.log"; exit 1; }
wait "$killer"
say "the DAG finished in $((SECONDS - begun)) s, SLURM job $(cat "$WORK/killed") killed on the way"
test -s "$RUN/results/tables/main.csv"
test -s "$WORK/resumed"
snake -n all > "$WORK/dry-run.log" 2>&1
grep -q 'Nothing to be done' "$WORK/dry-run.log" || { tail -n 40 "$WORK/dry-run.log"; exit 1; }
say "a dry run has nothing to do"
say "passed: $(grep -c 'has been submitted with SLURM jobid' "$WORK/snakemake.log") jobs submitted"
