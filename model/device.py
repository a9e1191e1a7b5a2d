"""The device of the network, and the CPU cores of this process."""

import os
from pathlib import Path

import torch

from model.errors import UsageError

DEVICE_NAMES = ("auto", "cpu", "cuda")
CPU_QUOTA_FILE = Path("/sys/fs/cgroup/cpu.max")
"""The CPU limit of a container (control group v2): microseconds of CPU time, and of the period that they are for."""


def select_device(name: str, number: int = 0, processes: int = 1) -> torch.device:
    """Return the device ``name``; ``auto`` is a GPU if torch sees one, else the CPU.

    ``number``: the index of the GPU; each of several ``processes`` needs one.
    Raise ``UsageError`` where a GPU is missing.
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
    """Whether no later call on the GPU can succeed in this process. After a lack of memory it can."""
    return isinstance(error, RuntimeError) and "CUDA error" in str(error) and "out of memory" not in str(error)


def set_thread_count(threads: int) -> None:
    """Limit the CPU threads of tensor operations in this process."""
    torch.set_num_threads(threads)


def count_usable_cores(quota: Path = CPU_QUOTA_FILE) -> int:
    """CPU cores of this process: those of its affinity, at most the container's ``quota``, at least one."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, period = quota.read_text(encoding="ascii").split()
        return max(1, min(affinity, int(allowed) // int(period)))
    except (OSError, ValueError):  # no container, control group v1, or no limit: "max 100000"
        return affinity
