#!/usr/bin/env bash
# A real SLURM of two nodes on one host: Debian's slurmctld, and two slurmd with names and ports of
# their own. Through workflow/profiles/slurm it runs
#   1. base network and RAD, each training on two nodes, two processes over gloo; a node is killed
#      while the base network is trained;
#   2. the whole tiny DAG; a node is killed during a training and another one during a sampling.
# A killed node loses its slurmd and all processes of its jobs to SIGKILL at once; it comes
# back when SLURM has missed it. The results are compared with those of one undisturbed process.
#
# As root, on Debian or Ubuntu:   tests/slurm/run.sh        (half an hour on two cores)
# Stops what it started, also when it fails. The folder with all logs is kept and named; with
# WORK=FOLDER before the command it goes on there.
# `tests/slurm/run.sh chaos 6` kills Snakemake and its jobs instead: tests/chaos/run.py on SLURM.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-$PWD/.venv/bin/python}
PATH=$(dirname "$PYTHON"):$PATH
WORK=${WORK:-$(mktemp -d -t radpipe-slurm.XXXXXX)}
# jobs find it there only: Snakemake's steps start with a clean environment
CONF=/etc/slurm/slurm.conf
export OMP_NUM_THREADS=1
declare -A PORTS=([nodeA]=17001 [nodeB]=17002) DAEMONS=()

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }
fail() { say "$*"; exit 1; }
clone() { [ -d "$WORK/$1" ] || compare clone "$WORK/$1" "$2"; }
compare() { PYTHONPATH=$PWD/src:$PWD/tests "$PYTHON" tests/slurm/compare.py "$@"; }

stop() {
  squeue -h -o %i 2>/dev/null | xargs -r scancel 2>/dev/null || true
  [ -z "$(jobs -p)" ] || sleep 3
  grep -qs "$WORK" "$CONF" && rm "$CONF"
  # the children of this script: daemons, the watchers, Snakemake
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
  [ ! -e "$CONF" ] || fail "this machine has a SLURM already: $CONF"
  mkdir -p "$WORK/ctld" "$WORK/munge"
  chmod 755 "$WORK"
  head -c 1024 /dev/urandom > "$WORK/munge/key"
  chmod 600 "$WORK/munge/key"
  # the socket is the packages' own, which the SLURM libraries look for
  mkdir -p /run/munge && chown root:root /run/munge && chmod 755 /run/munge
  chmod 700 "$WORK/munge"
  munged --foreground --force --key-file "$WORK/munge/key" --pid-file "$WORK/munge/pid" \
    --seed-file "$WORK/munge/seed" --log-file "$WORK/munge/log" \
    --socket /run/munge/munge.socket.2 > "$WORK/munge/out" 2>&1 &
  local host memory cores node
  host=$(hostname -s)
  cores=$((($(nproc --all) + 1) / 2))
  memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.47)}' /proc/meminfo)
  mkdir -p "${CONF%/*}"
  cat > "$CONF" << END
ClusterName=tiny
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$WORK/ctld
SlurmdSpoolDir=$WORK/%n
SlurmctldPidFile=$WORK/slurmctld.pid
SlurmdPidFile=$WORK/%n.pid
SlurmctldLogFile=$WORK/slurmctld.log
SlurmdLogFile=$WORK/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=5
SlurmdTimeout=15
ReturnToService=2
END
  for node in "${!PORTS[@]}"; do
    echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=${PORTS[$node]}" \
      "CPUs=$cores RealMemory=$memory State=UNKNOWN"
  done >> "$CONF"
  echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP" >> "$CONF"
  sleep 1
  slurmctld -D > "$WORK/slurmctld.out" 2>&1 &
  sleep 2
  for node in "${!PORTS[@]}"; do start_node "$node"; done
  for _ in $(seq 60); do
    [ "$(sinfo -h -N -o %T 2>/dev/null | grep -c idle)" = 2 ] && return
    sleep 1
  done
  tail -n 20 "$WORK"/slurm*.log "$WORK"/*.out
  fail "SLURM did not start"
}

start_node() {
  mkdir -p "$WORK/$1"
  slurmd -D -N "$1" >> "$WORK/$1.out" 2>&1 &
  DAEMONS[$1]=$!
}

# SIGKILL to a node's daemon, and to the processes of all its jobs with what SLURM set over them
kill_node() {
  local pids parents
  pids=$(grep -lsz "^SLURMD_NODENAME=$1\$" /proc/[0-9]*/environ | cut -d/ -f3 || true)
  parents=$(for pid in $pids; do awk '/^PPid/ {print $2}' "/proc/$pid/status" || true; done \
    2> /dev/null | sort -u | while read -r pid; do
    grep -qsx slurmstepd "/proc/$pid/comm" && echo "$pid"
  done || true)
  # shellcheck disable=SC2086  # one word each
  kill -KILL "${DAEMONS[$1]}" $parents $pids 2> /dev/null || true
  say "killed $1: its daemon, $(wc -w <<< "$pids") processes of jobs ($2)"
  # a node that comes back before SLURM has missed it counts as one that never went, unlike one that
  # has booted anew: here, all nodes have the boot time of this machine
  for _ in $(seq 120); do
    [[ $(sinfo -h -n "$1" -o %T) == down* ]] && break
    sleep 1
  done
  start_node "$1"
}

# the nodes of the first running job of a rule
nodes_of() {
  squeue -h -t R -o '%N %k' | awk -v rule="rule_$1" '$2 ~ "^" rule {print $1; exit}' |
    xargs -r scontrol show hostnames
}

wait_for() {
  for _ in $(seq 1200); do
    ! eval "$1" || return 0
    kill -0 "$RUNNING" 2> /dev/null || fail "it ended before: $1"
    sleep 0.5
  done
  fail "never came: $1"
}

# Snakemake in a folder, in the background
snake() {
  local folder=$1
  shift
  (cd "$folder" && PYTHONPATH=$folder/src exec snakemake \
    --workflow-profile workflow/profiles/slurm --slurm-init-seconds-before-status-checks 5 \
    --seconds-between-status-checks 5 "$@" >> "$folder.log" 2>&1) &
  RUNNING=$!
}

ended() { wait "$RUNNING" || { tail -n 60 "$1.log"; fail "failed: $1"; }; }

# waits until the base training has saved its state at work, then kills a node that it is on
kill_training() {
  wait_for "compgen -G '$1/.radpipe/resume/*/state.pt' > /dev/null && [ -n \"\$(nodes_of base)\" ]"
  kill_node "$(nodes_of base | tail -n 1)" "base training"
}

# RePaint's, the longest
kill_sampling() {
  local rule=sample_wildcards_emoji_repaint
  wait_for "[ -n \"\$(nodes_of $rule)\" ] &&
    [ \"\$(ls $1/.radpipe/resume/*/*.json 2> /dev/null | wc -l)\" -ge 2 ]"
  rm -rf "$WORK/kept"
  cp -r "$1/.radpipe/resume" "$WORK/kept"
  kill_node "$(nodes_of $rule)" "sampling"
}

landed() { grep -o 'Allocate JobId=.* NodeList=[^ ]*' "$WORK/slurmctld.out" | sed 's/.*NodeList=//' |
  sort | uniq -c | awk '{printf "%s%s on %s", (NR > 1 ? ", " : ""), $1, $2}'; }

install
start_slurm
say "SLURM $(sinfo --version | cut -d' ' -f2): $(sinfo -h -N -o '%N with %c CPUs,' | xargs)"
if [ "${1:-}" = chaos ]; then
  PYTHONPATH=$PWD/src "$PYTHON" -u tests/chaos/run.py --engines slurm --kills "${2:-20}" \
    --folder "$WORK/chaos" ${3:+--save "$3"} &
  wait $!
  exit
fi

if [ ! -e "$WORK/one.done" ]; then
  clone one one
  begun=$SECONDS
  (cd "$WORK/one" && PYTHONPATH=$WORK/one/src exec snakemake --cores all all > "$WORK/one.log" 2>&1) &
  RUNNING=$!
  ended "$WORK/one"
  say "undisturbed, without SLURM: $((SECONDS - begun)) s"
  touch "$WORK/one.done"
fi

if [ ! -e "$WORK/two.done" ]; then
  clone two two
  begun=$SECONDS
  snake "$WORK/two" -- results/checkpoints/emoji/rad/default/receipt.json
  kill_training "$WORK/two"
  ended "$WORK/two"
  say "two trainings on two nodes each: $((SECONDS - begun)) s; jobs: $(landed)"
  grep -h 'resumes at image' "$WORK/two/results/logs/base/emoji.log" || fail "it began anew"
  compare close "$WORK/two" "$WORK/one"
  touch "$WORK/two.done"
fi

clone all one
begun=$SECONDS
snake "$WORK/all" all
kill_training "$WORK/all"
kill_sampling "$WORK/all"
ended "$WORK/all"
say "the whole DAG: $((SECONDS - begun)) s; jobs: $(landed)"
grep -h 'resumes at image' "$WORK/all/results/logs/base/emoji.log" || fail "it began anew"
compare kept "$WORK/all" "$WORK/kept"
compare same "$WORK/all" "$WORK/one"
snake "$WORK/all" -n all
ended "$WORK/all"
tail -n 50 "$WORK/all.log" | grep -q 'Nothing to be done' || fail "a dry run has something to do"
say "passed"
