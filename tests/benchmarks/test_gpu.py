"""``make gpu`` needs torch and the packages of the service alone, and refuses a machine without a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu
from benchmarks.tables import DOCS
from model.classifier import Classifier

pytestmark = pytest.mark.slow
MISSING = """
import sys


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"numpy", "scipy", "sklearn", "pyarrow", "matplotlib", "pandas", "rich"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Missing())
"""


def run_benchmark(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "gpu", "--quick", *options]
    return subprocess.run(
        command, cwd=DOCS.parent, env=os.environ | environment, capture_output=True, text=True, timeout=280, check=False
    )


@pytest.mark.timeout(300)
def test_a_rehearsal_on_a_cpu_passes_without_numpy_and_writes_no_page(tmp_path: Path) -> None:
    page = (DOCS / "gpu.md").read_bytes()
    (tmp_path / "sitecustomize.py").write_text(MISSING)
    run = run_benchmark("--device", "cpu", PYTHONPATH=str(tmp_path), OMP_NUM_THREADS="1")
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("CPU, torch ")
    assert "0 checks failed" in run.stdout
    assert "another version is promoted" in run.stdout
    assert (DOCS / "gpu.md").read_bytes() == page


def test_an_answer_that_differs_from_the_cpu_fails(tmp_path: Path) -> None:
    for hidden in gpu.HIDDEN:
        gpu.write_artifact(tmp_path / str(hidden), hidden)
    first, second = (Classifier.load(tmp_path / str(hidden), "cpu") for hidden in gpu.HIDDEN)
    table, encodings = gpu.Table(), [first.encode(text, True) for text in gpu.make_texts(3)]
    gpu.compare(table, "same", first, first, encodings)
    assert table.failed == []
    gpu.compare(table, "other", first, second, encodings)
    assert "other: largest difference of a score from the CPU's, 3 documents" in table.failed


def test_without_a_gpu_the_benchmark_exits_with_2_and_a_sentence() -> None:
    run = run_benchmark(CUDA_VISIBLE_DEVICES="")
    assert run.returncode == 2
    assert run.stderr.startswith("gpu: device cuda was asked for and torch sees no GPU")
    assert run.stderr.count("\n") == 1
