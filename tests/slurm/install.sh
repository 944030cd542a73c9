#!/usr/bin/env bash
# Debian's Slurm, where it is not there and may be installed; without it the tests skip, saying so.
set -euo pipefail
missing() {
  local program
  for program in slurmctld slurmd sbatch munged; do
    command -v "$program" >/dev/null || return 0
  done
  return 1
}

if missing && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      slurmctld slurmd slurm-client munge
  } >/dev/null || echo "Slurm could not be installed: its tests are skipped" >&2
fi
