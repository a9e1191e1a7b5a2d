"""Where the network runs: the one place that chooses between CPU and GPU, and knows how many cores there are."""

import os
from pathlib import Path

import torch

from model.errors import UsageError

DEVICE_NAMES = ("auto", "cpu", "cuda")
CPU_QUOTA_FILE = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux says how much of the cores a container may use: microseconds, of each so many (control group v2)."""


def select_device(name: str, number: int = 0, processes: int = 1) -> torch.device:
    """``auto`` is the GPU where torch sees one, else the CPU; raise ``UsageError`` for a GPU that is not there.

    Of several ``processes`` each has a GPU of its own, the one of its ``number``.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "device cuda was asked for and torch sees no GPU: say auto or cpu, or install a CUDA build of torch"
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and processes > torch.cuda.device_count():
        raise UsageError(
            f"{processes} processes need a GPU each and torch sees {torch.cuda.device_count()}: start fewer, or say cpu"
        )
    return torch.device(name, number) if name == "cuda" else torch.device(name)


def is_device_lost(error: Exception) -> bool:
    """Whether the GPU has failed in a way that only another process mends; a lack of memory passes."""
    return isinstance(error, RuntimeError) and "CUDA error" in str(error) and "out of memory" not in str(error)


def set_thread_count(threads: int) -> None:
    """How many cores a product may take, in the whole process."""
    torch.set_num_threads(threads)


def count_usable_cores(quota: Path = CPU_QUOTA_FILE) -> int:
    """Whole cores that this process may keep busy: those it is bound to, and no more than its container's ``quota``."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, period = quota.read_text(encoding="ascii").split()
        return max(1, min(bound, int(allowed) // int(period)))
    except (OSError, ValueError):  # no container, an older one, or one without a limit: "max 100000"
        return bound
