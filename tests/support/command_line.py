"""One command of the command line, in a process of its own or, for seconds less, in the test's."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

import docket
from model import interrupts
from tests.support.service import WAIT_SECONDS


def run_subprocess(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """As a person runs it."""
    command = [sys.executable, "-m", "docket", *map(str, arguments)]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=240, check=False, env=os.environ
    )


def run_inline(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """All of it but the start of an interpreter and of torch."""
    out, err, before = io.StringIO(), io.StringIO(), {each: signal.getsignal(each) for each in interrupts.SIGNALS}
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()))
    try:
        with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", given):
            code = docket.main([str(each) for each in arguments])
    except SystemExit as ended:  # argparse's
        code = int(ended.code or 0)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    return subprocess.CompletedProcess(list(map(str, arguments)), code, out.getvalue(), err.getvalue())


def stop_process(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send a signal, wait for the end of the process and return its stderr.

    A process that does not end fails the test with the state of its threads, and with their stacks if it was started
    with ``-X faulthandler``.
    """
    process.send_signal(number)
    try:
        return process.communicate(timeout=2 * WAIT_SECONDS)[1]
    except subprocess.TimeoutExpired:
        tasks = sorted(Path(f"/proc/{process.pid}/task").glob("*"))
        names = ("comm", "wchan", "syscall", "stat")
        states = "".join(f"{task.name}: {[(task / name).read_text().strip() for name in names]}\n" for task in tasks)
        process.send_signal(signal.SIGABRT)
        try:
            stacks = process.communicate(timeout=WAIT_SECONDS)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            stacks = "SIGABRT did not end it either"
    pytest.fail(f"{number.name} did not end the process. Its threads:\n{states}{stacks}")
