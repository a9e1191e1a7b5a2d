"""Ctrl-C and SIGTERM, pressed once, twice and more, at moments that a test can choose."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, sys
from model import interrupts

def press():
    os.kill(os.getpid(), signal.{signal})

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job, as of a CI, begins with it ignored
interrupts.raise_on_first()
try:
    {first}
except KeyboardInterrupt:
    {during_clean_up}
    print("cleaned up", flush=True)
    interrupts.ignore_signals()
    press()
sys.exit(interrupts.EXIT_CODE)
"""


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("first", "during_clean_up", "printed"),
    [
        ("press()", "pass", "cleaned up\n"),
        ("press()", "press()", "cleaned up\n"),
        ("press()", "press(); press()", ""),
        ("exec('press()')", "press()", "cleaned up\n"),
    ],
    ids=["once", "twice", "three times", "in an inner exec, as dataclasses have it"],
)
def test_however_often_it_is_interrupted_a_command_exits_with_130_and_without_a_traceback(
    tmp_path, signal, first, during_clean_up, printed
):
    program = PROGRAM.format(signal=signal, first=first, during_clean_up=during_clean_up)
    (tmp_path / "program.py").write_text(program)
    paths = os.pathsep.join(map(str, (tmp_path, ROOT)))
    ended = subprocess.run(
        [sys.executable, "-m", "program"],  # as a module: there alone CPython looks at its flag
        env=os.environ | {"PYTHONPATH": paths},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, printed, "")
