"""``make gpu`` runs with torch and the service's packages alone, and says on a CPU that it is one."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks import gpu

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
    """Run it, and the service that it starts, where those packages are not there."""
    (folder / "sitecustomize.py").write_text(MISSING.format(names=missing))
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--quick"]
    return subprocess.run(
        command,
        cwd=Path(gpu.__file__).parent.parent,
        env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_all_checks_run_without_numpy_and_a_cpu_writes_no_page(tmp_path):
    page = gpu.PAGE.read_bytes()
    done = rehearse(tmp_path, TRAINING)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("CPU, torch ")
    assert "0 checks failed" in done.stdout
    assert "another version is promoted" in done.stdout
    assert gpu.PAGE.read_bytes() == page


def test_the_service_is_left_out_where_its_packages_are_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(gpu.gpu_service, "NEEDED", ("torch", "no_such_package"))
    table = gpu.Table()
    gpu.gpu_service.measure(table, tmp_path, "cpu", ["a text"], gpu.QUICK)
    assert table.failed == []
    assert "left out: no_such_package not installed here" in capsys.readouterr().out


def test_an_answer_that_is_not_the_cpus_fails(tmp_path):
    for hidden in gpu.HIDDEN:
        gpu.write_artifact(tmp_path / str(hidden), hidden)
    first, second = (gpu.Classifier.load(tmp_path / str(hidden), "cpu") for hidden in gpu.HIDDEN)
    table, encodings = gpu.Table(), [first.encode(text, True) for text in gpu.made_texts(3)]
    gpu.compare(table, "same", first, first, encodings)
    assert table.failed == []
    gpu.compare(table, "other", first, second, encodings)
    assert "other: largest difference of a score from the CPU's, 3 documents" in table.failed


def test_without_a_gpu_it_ends_with_2_and_one_sentence():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--quick"],
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
