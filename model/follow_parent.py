"""Signals and lifetime of a child process."""

import os
import signal
import threading
from multiprocessing import parent_process


def follow_parent() -> None:
    """Ignore Ctrl-C, which a terminal sends to all processes, and exit when the parent process has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # the parent was killed and could not terminate this process
