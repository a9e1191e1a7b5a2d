"""Runs commands of the command line: in a new process, or seconds faster in the process of the test."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

import docket
from model import interrupts
from tests.support.service import WAIT_SECONDS


def without_coverage(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a process that a signal interrupts: without the measurement of coverage.

    An exception that a signal raises inside the tracer leaves the tracer's lock taken, and the process would hang.
    """
    return {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}


def run_subprocess(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a new process."""
    command = [sys.executable, "-m", "docket", *map(str, arguments)]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=240, check=False, env=os.environ
    )


def run_inline(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in this process, without the start of an interpreter and the import of torch."""
    out, err, stream = io.StringIO(), io.StringIO(), io.TextIOWrapper(io.BytesIO(stdin.encode()))
    handlers = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    try:
        with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", stream):
            code = docket.main([str(argument) for argument in arguments])
    except SystemExit as error:  # argparse raises one
        code = int(error.code or 0)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return subprocess.CompletedProcess(list(map(str, arguments)), code, out.getvalue(), err.getvalue())


def stop_process(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send a signal, wait for the end of the process and return its stderr.

    A process that does not end fails the test with the state of its threads, and with their stacks if it was started
    with ``-X faulthandler``.
    """
    process.send_signal(number)
    try:
        return process.communicate(timeout=WAIT_SECONDS)[1]
    except subprocess.TimeoutExpired:
        if process.poll() is not None:
            pytest.fail(f"the process ended with {process.returncode}, and another process holds its stderr open")
        tasks = sorted(Path(f"/proc/{process.pid}/task").glob("*"))
        names = ("comm", "wchan", "syscall", "stat")
        states = "".join(f"{task.name}: {[(task / name).read_text().strip() for name in names]}\n" for task in tasks)
        process.send_signal(signal.SIGABRT)
        try:
            stacks = process.communicate(timeout=30)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            stacks = "SIGABRT did not end it either"
    pytest.fail(f"{number.name} did not end the process. Its threads:\n{states}{stacks}")
