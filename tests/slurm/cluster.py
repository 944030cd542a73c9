"""A throw-away Slurm on this machine: two nodes on loopback, one of them with two stand-in GPUs.

    python tests/slurm/cluster.py start | stop

Needs root, and Debian's packages (`PACKAGES`). There are no cgroups and no accounting: memory is
watched by polling, jobs are asked about by squeue. Everything lies in one folder, links to its
configuration in /etc/slurm; a machine with a Slurm of its own is not touched.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
PROGRAMS = ("slurmctld", "slurmd", "squeue", "munged")
ETC = Path("/etc/slurm")
FOLDER = Path("/tmp/motifloom-slurm")
PORT = 27817  # the first of three
NULL = os.makedev(1, 3)

CONFIG = """\
ClusterName=throwaway
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
# Neither cgroups nor systemd; the sizes below need not be this machine's.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
DefMemPerCPU=100
# A job above its memory is killed when the next look finds it so.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
KillWait=2
MinJobAge=600
PriorityType=priority/basic
NodeName=cpu1 NodeHostname={host} NodeAddr=127.0.0.1 Port={cpu_port} CPUs=2 RealMemory=12000
NodeName=gpu1 NodeHostname={host} NodeAddr=127.0.0.1 Port={gpu_port} CPUs=2 RealMemory=12000 \
Gres=gpu:fake:2
PartitionName=cpu Nodes=cpu1 Default=YES MaxTime=600 DefaultTime=5 State=UP
PartitionName=gpu Nodes=gpu1 MaxTime=600 DefaultTime=5 State=UP
"""
GRES = "AutoDetect=off\nNodeName=gpu1 Name=gpu Type=fake File={folder}/gpu[0-1]\n"


def missing() -> str:
    """Why no Slurm can be started here, or ""."""
    if os.geteuid() != 0:
        return "a throw-away Slurm needs root"
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    if absent:
        return f"{absent[0]} is not installed (apt-get install {' '.join(PACKAGES)})"
    own = [path for path in (ETC / "slurm.conf", ETC / "gres.conf") if path.is_file()]
    if any(not path.is_symlink() or FOLDER not in path.resolve().parents for path in own):
        return f"this machine has a Slurm of its own ({own[0]})"
    return ""


def start() -> None:
    """Write the configuration and start all daemons; returns when both nodes are idle."""
    stop()
    for name in ("munge", "state", "spool/cpu1", "spool/gpu1"):
        (FOLDER / name).mkdir(parents=True)
    FOLDER.chmod(0o755)
    (FOLDER / "munge").chmod(0o711)
    for number in (0, 1):
        # Counted and handed out like GPUs, never opened; Slurm wants devices.
        path = FOLDER / f"gpu{number}"
        os.mknod(path, 0o666 | stat.S_IFCHR, NULL)
        path.chmod(0o666)
    _configure()
    _start_munge()
    _run("slurmctld")
    _wait("slurmctld", lambda: _answers("scontrol", "ping"))
    for node in ("cpu1", "gpu1"):
        _run("slurmd", "-N", node)
    _wait("the nodes", lambda: _states() == {"idle"})


def stop() -> None:
    """Cancel all jobs, stop the daemons by their process ids and remove everything."""
    if not FOLDER.exists():
        return
    if _answers("squeue", "--noheader"):
        subprocess.run(["scancel", "--user=root"], timeout=20, check=False)
        with contextlib.suppress(TimeoutError):
            _wait("jobs to end", lambda: not queue(), seconds=10)
    for name in ("slurmd-cpu1", "slurmd-gpu1", "slurmctld", "munged"):
        _end(FOLDER / f"{name}.pid")
    for name in ("slurm.conf", "gres.conf"):
        if (ETC / name).is_symlink():
            (ETC / name).unlink()
    shutil.rmtree(FOLDER)


@contextlib.contextmanager
def running() -> Iterator[None]:
    """A Slurm that is stopped at the end of the block, however it ends."""
    try:
        start()
        yield
    finally:
        stop()


def queue() -> list[tuple[str, str, str]]:
    """Number, state and comment of the jobs that wait or run; the comment names the rule."""
    command = ["squeue", "--noheader", "--format=%A|%T|%k", "--states=PENDING,RUNNING,COMPLETING"]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    return [tuple(line.split("|", 2)) for line in lines.splitlines()]


def _configure() -> None:
    # Slurm's commands inside a job look here alone: the executor takes SLURM_CONF away from them.
    ETC.mkdir(exist_ok=True)
    host = socket.gethostname().split(".")[0]
    ports = {"port": PORT, "cpu_port": PORT + 1, "gpu_port": PORT + 2}
    for name, text in (("slurm.conf", CONFIG), ("gres.conf", GRES)):
        (FOLDER / name).write_text(text.format(folder=FOLDER, host=host, **ports))
        (ETC / name).unlink(missing_ok=True)
        (ETC / name).symlink_to(FOLDER / name)


def _start_munge() -> None:
    key = FOLDER / "munge/key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o600)
    places = {"socket": "munge/socket", "pid-file": "munged.pid", "log-file": "munged.log"}
    places |= {"key-file": "munge/key", "seed-file": "munge/seed"}
    _run("munged", "--force", *(f"--{name}={FOLDER / path}" for name, path in places.items()))
    _wait("munge", lambda: _answers("munge", "-S", str(FOLDER / "munge/socket"), "-n"))


def _run(*command: str) -> None:
    """Start a daemon, which returns when it is one."""
    # A file, since a daemon keeps its output open.
    with open(FOLDER / "start.log", "a") as log:
        done = subprocess.run(command, stdout=log, stderr=log, timeout=60, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {(FOLDER / 'start.log').read_text()[-2000:]}")


def _answers(*command: str) -> bool:
    try:
        return not subprocess.run(command, capture_output=True, timeout=10).returncode
    except (subprocess.TimeoutExpired, FileNotFoundError):
        return False


def _states() -> set[str]:
    command = ["sinfo", "--noheader", "--Node", "--format=%T"]
    return set(subprocess.run(command, capture_output=True, text=True).stdout.split())


def _wait(what: str, ready: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)


def _end(pid_file: Path) -> None:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
        number = int(pid_file.read_text())
        os.kill(number, signal.SIGTERM)
        for _ in range(75):
            time.sleep(0.2)
            os.kill(number, 0)
        os.kill(number, signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1:] == ["start"]:
        if reason := missing():
            sys.exit(reason)
        start()
    elif sys.argv[1:] == ["stop"]:
        stop()
    else:
        sys.exit(__doc__)
