"""Ctrl-C and SIGTERM, once and several times, at chosen moments."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, sys
from model import interrupts

def interrupt():
    os.kill(os.getpid(), signal.{signal})

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job, as of a CI, begins with it ignored
interrupts.raise_on_first()
try:
    {first}
except KeyboardInterrupt:
    {during_clean_up}
    print("cleaned up", flush=True)
    interrupts.ignore_signals()
    interrupt()
sys.exit(interrupts.EXIT_CODE)
"""


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("first", "during_clean_up", "printed"),
    [
        ("interrupt()", "pass", "cleaned up\n"),
        ("interrupt()", "interrupt()", "cleaned up\n"),
        ("interrupt()", "interrupt(); interrupt()", ""),
        ("exec('interrupt()')", "interrupt()", "cleaned up\n"),
        ("with interrupts.deferred(): interrupt(); print('done', flush=True)", "pass", "done\ncleaned up\n"),
    ],
    ids=["once", "twice", "three times", "in an inner exec, as dataclasses have it", "in a block that must end"],
)
def test_a_command_exits_with_130_and_without_a_traceback_after_any_number_of_interrupts(
    tmp_path: Path, signal: str, first: str, during_clean_up: str, printed: str
) -> None:
    program = PROGRAM.format(signal=signal, first=first, during_clean_up=during_clean_up)
    (tmp_path / "program.py").write_text(program)
    paths = os.pathsep.join(map(str, (tmp_path, ROOT)))
    completed = subprocess.run(
        [sys.executable, "-m", "program"],  # as a module: there alone CPython looks at its flag
        env=os.environ | {"PYTHONPATH": paths},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (completed.returncode, completed.stdout, completed.stderr) == (130, printed, "")
