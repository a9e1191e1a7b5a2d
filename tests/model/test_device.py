import os
from pathlib import Path

import pytest
import torch

from model.device import count_usable_cores, is_device_lost

BOUND = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "most"),
    [
        ("max 100000\n", BOUND),
        ("100000 100000\n", 1),
        ("50000 100000\n", 1),
        ("190000 100000\n", 1),
        ("9900000 100000", BOUND),
    ],
)
def test_a_container_keeps_no_more_cores_busy_than_it_may(tmp_path: Path, quota: str, most: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert count_usable_cores(tmp_path / "cpu.max") == most


def test_without_a_container_all_cores_that_the_process_is_bound_to_count(tmp_path: Path) -> None:
    assert count_usable_cores(tmp_path / "none") == BOUND
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
def test_a_device_is_lost_by_an_error_that_no_call_after_it_can_escape(error: Exception, lost: bool) -> None:
    assert is_device_lost(error) is lost
