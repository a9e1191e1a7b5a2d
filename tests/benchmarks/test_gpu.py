"""``make gpu`` needs torch and the packages of the service alone, and refuses a CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu

pytestmark = pytest.mark.slow
MISSING = """
import sys


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Missing())
"""
TRAINING = {"numpy", "scipy", "sklearn", "pyarrow", "matplotlib", "pandas", "rich"}


def rehearse(folder: Path, missing: set[str]) -> subprocess.CompletedProcess[str]:
    """Run the benchmark and its service without the ``missing`` packages."""
    (folder / "sitecustomize.py").write_text(MISSING.format(names=missing))
    command = [sys.executable, "-m", "benchmarks", "gpu", "--device", "cpu", "--quick"]
    return subprocess.run(
        command,
        cwd=Path(gpu.__file__).parent.parent,
        env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_a_rehearsal_on_a_cpu_passes_without_numpy_and_writes_no_page(tmp_path):
    page = gpu.PAGE.read_bytes()
    done = rehearse(tmp_path, TRAINING)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("CPU, torch ")
    assert "0 checks failed" in done.stdout
    assert "another version is promoted" in done.stdout
    assert gpu.PAGE.read_bytes() == page


def test_an_answer_that_differs_from_the_cpu_fails(tmp_path):
    for hidden in gpu.HIDDEN:
        gpu.write_artifact(tmp_path / str(hidden), hidden)
    first, second = (gpu.Classifier.load(tmp_path / str(hidden), "cpu") for hidden in gpu.HIDDEN)
    table, encodings = gpu.Table(), [first.encode(text, True) for text in gpu.made_texts(3)]
    gpu.compare(table, "same", first, first, encodings)
    assert table.failed == []
    gpu.compare(table, "other", first, second, encodings)
    assert "other: largest difference of a score from the CPU's, 3 documents" in table.failed


def test_without_a_gpu_the_benchmark_exits_with_2_and_a_sentence():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "gpu", "--quick"],
        cwd=Path(gpu.__file__).parent.parent,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("gpu: device cuda was asked for and torch sees no GPU")
    assert done.stderr.count("\n") == 1
