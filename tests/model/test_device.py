import os
from pathlib import Path

import pytest
import torch

from model.device import count_usable_cores, is_device_lost

AFFINITY = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000\n", AFFINITY),
        ("100000 100000\n", 1),
        ("50000 100000\n", 1),
        ("190000 100000\n", 1),
        ("9900000 100000", AFFINITY),
    ],
)
def test_the_quota_of_a_container_limits_the_cores(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert count_usable_cores(tmp_path / "cpu.max") == expected


def test_without_a_container_the_cores_are_those_of_the_affinity(tmp_path: Path) -> None:
    assert count_usable_cores(tmp_path / "none") == AFFINITY
    one = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {one})
    try:
        assert count_usable_cores(tmp_path / "none") == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (torch.AcceleratorError("CUDA error: an illegal memory access was encountered"), True),
        (RuntimeError("CUDA error: unspecified launch failure"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), False),
        (RuntimeError("CUDA error: out of memory"), False),
        (RuntimeError("run gave 0 results for 1 items"), False),
        (MemoryError(), False),
        (ValueError("CUDA error"), False),
    ],
    ids=repr,
)
def test_a_device_is_lost_after_an_error_that_every_later_call_repeats(error: Exception, lost: bool) -> None:
    assert is_device_lost(error) is lost
