"""Where a network is trained: device, number format and number of processes (Lightning Fabric)."""

import logging
import multiprocessing
import signal
import warnings
from dataclasses import dataclass

import torch

from motifloom.checkpoints import Stopped
from motifloom.files import InputError

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}


@dataclass(frozen=True)
class Hardware:
    """Config section `training` as far as it names the machine.

    device:    "cpu", "cuda", or "auto" (a GPU where there is one, without asking for it)
    devices:   GPUs, or processes on the CPU, that share each batch (DDP)
    precision: "fp32", or "bf16": products in bfloat16, weights and sums in float32
    compile:   whether the network goes through torch.compile
    """

    device: str = "cpu"
    devices: int = 1
    precision: str = "fp32"
    compile: bool = False


def choose_device(wanted: str) -> str:
    """ "cpu", or "cuda" where it is wanted ("cuda", "auto") and there is one.

    Raises InputError where "cuda" is asked for and no GPU is visible.
    """
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise InputError("device: cuda was asked for, but PyTorch sees no GPU; use device: auto")
    return "cuda" if available and wanted != "cpu" else "cpu"


def open_fabric(hardware: Hardware):
    """The Fabric of `hardware`; InputError where GPUs are asked for that are not there."""
    device = choose_device(hardware.device)
    if device == "cuda" and hardware.devices > torch.cuda.device_count():
        raise InputError(
            f"training: devices: {hardware.devices} GPUs were asked for, but PyTorch sees"
            f" {torch.cuda.device_count()}; ask for fewer or for more in the cluster's profile"
        )
    # Fabric's notes on how many cores or GPUs stand idle are no news to a workflow's user.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning_fabric")
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment

    return Fabric(
        accelerator=device,
        devices=hardware.devices,
        strategy="ddp_spawn" if hardware.devices > 1 else "auto",
        precision=PRECISIONS[hardware.precision],
        # Processes are begun here, whatever a cluster's variables say of the job around.
        plugins=[LightningEnvironment()],
    )


def run_on(hardware: Hardware, function, *arguments) -> None:
    """Call `function(fabric, *arguments)`, in one process or in as many as there are devices.

    With several, `function` must stand in a module and the arguments must be picklable; each
    process gets its share of the threads, and the first one has rank 0.
    """
    fabric = open_fabric(hardware)
    if hardware.devices == 1:
        function(fabric, *arguments)
        return
    threads = max(1, torch.get_num_threads() // hardware.devices)
    former = signal.signal(signal.SIGTERM, _end_processes)
    try:
        ended = fabric.launch(_in_process, function, threads, *arguments)
    finally:
        signal.signal(signal.SIGTERM, former)
    if isinstance(ended, Stopped):
        raise ended
    if ended is not None:
        raise InputError(ended)


def _end_processes(number: int, frame) -> None:
    """Hand a signal on: each process stops by itself, after a checkpoint."""
    for process in multiprocessing.active_children():
        process.terminate()


def _in_process(fabric, function, threads: int, *arguments) -> str | Stopped | None:
    """One process's share; returns an InputError's sentence, or Stopped, for the first to raise."""
    torch.set_num_threads(threads)
    if fabric.global_rank == 0:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        function(fabric, *arguments)
    except InputError as error:
        return str(error)
    except Stopped as stopped:
        return stopped
    return None
