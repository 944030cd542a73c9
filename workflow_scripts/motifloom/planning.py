"""What a training will cost, known before it is paid: examples, updates, time and memory.

Time and memory come from a timed warm-up on the machine that the training will run on.
"""

import resource
import statistics
import sys
import time

import torch

PLAN_COLUMNS = (
    "model",
    "dataset",
    "part",
    "members",
    "examples",
    "epochs",
    "batch_size",
    "updates",
    "parameters",
    "examples_per_second",
    "minutes",
    "peak_memory_mb",
)
# Updates that pay for compilation and first reads, updates that are timed, and seconds after
# which no further one is begun.
_WARM, _TIMED, _SECONDS = 2, 8, 20.0


def plan_row(trainer, task, order, part) -> tuple:
    """One row of PLAN_COLUMNS for a part of a training; `trainer` is spent by it.

    `updates` and `minutes` are those of all members, with the looks at the validation examples.
    The memory is the most that was held up to the end of the warm-up.
    """
    preset, epochs = order.preset, part.settings.epochs
    seconds, per_look = _warm_up(trainer)
    updates = preset.members * epochs * len(trainer.stream)
    looks = preset.members * min(epochs, part.settings.checks)
    rate = preset.batch_size / seconds
    return (
        order.preset_name,
        task.info["dataset"],
        part.name,
        preset.members,
        task.n_examples,
        epochs,
        preset.batch_size,
        updates,
        sum(p.numel() for p in part.module.parameters()),
        rate,
        (updates * seconds + looks * per_look) / 60,
        peak_memory(trainer.fabric.device) / 1e6,
    )


def _warm_up(trainer) -> tuple[float, float]:
    """Median seconds of an update, and of a look at all validation examples."""
    weights = {name: t.detach().clone() for name, t in trainer.network.state_dict().items()}
    times, begun = [], _now(trainer)
    trainer.model.train()
    # From one update's end to the next, so that waiting for a batch counts.
    last = begun
    for batch in trainer.stream.batches(0):
        trainer.step(batch)
        now = _now(trainer)
        times.append(now - last)
        last = now
        # Several processes must stop at the same update, whatever their clocks say.
        late = now - begun > _SECONDS and trainer.fabric.world_size == 1
        if len(times) == _WARM + _TIMED or late:
            break
    per_look = _look_time(trainer)
    trainer.network.load_state_dict(weights)
    return statistics.median(times[_WARM:] or times[-1:]), per_look


def _look_time(trainer) -> float:
    """Seconds of a look at all validation examples, from its first batches."""
    trainer.model.eval()
    spent, seen, total = 0.0, 0, 0
    with torch.inference_mode():
        for batch in trainer.validation:
            total += batch.size
            if seen and spent > 1.0:
                continue
            first = _now(trainer)
            trainer.model(batch.codes.to(trainer.fabric.device))
            spent, seen = spent + _now(trainer) - first, seen + batch.size
    return spent * total / seen if seen else 0.0


def _now(trainer) -> float:
    if trainer.fabric.device.type == "cuda":
        torch.cuda.synchronize(trainer.fabric.device)
    return time.monotonic()


def peak_memory(device: torch.device) -> int:
    """Most bytes held so far: of the GPU, or on the CPU of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
