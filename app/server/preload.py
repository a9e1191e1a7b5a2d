"""The artifact, tried once before anything is served; where there are several processes, in one that goes again."""

from __future__ import annotations

import signal
from contextlib import suppress
from multiprocessing import connection, forkserver, get_context, resource_tracker
from typing import TYPE_CHECKING, NamedTuple

from model.errors import UsageError

if TYPE_CHECKING:
    from app.settings import Settings


class ArtifactCheck(NamedTuple):
    """What it is found to be: the ``version`` that is current, and how many ``workers`` are to serve it."""

    version: str
    workers: int


def trial(settings: Settings) -> ArtifactCheck:
    """Load it as each process will; raise ``UsageError`` where it cannot be served."""
    from model import device  # torch takes a second and 200 MB
    from model.classifier import Classifier

    classifier = Classifier.load(settings.artifact, settings.device, threads=1, warm=False)
    return ArtifactCheck(
        classifier.version, settings.workers or (1 if classifier.device == "cuda" else device.count_usable_cores())
    )


def prepare() -> None:
    """Begin a process that imports all that is needed, for others to be copies of; the environment is read now."""
    get_context("forkserver").set_forkserver_preload(["app.main", "app.server.http_protocol"])
    resource_tracker.ensure_running()  # it comes first in any case, and lets SIGTERM through again
    # A SIGTERM to a whole group must not end it before its copies have: it and its end is how theirs is told.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        forkserver.ensure_running()
    finally:
        heed_sigterm()


def heed_sigterm() -> None:
    """Let SIGTERM through, in a copy of that process too; one that has come already comes now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def trial_in_a_copy(settings: Settings) -> ArtifactCheck:
    """The same in a copy of that process: this one never holds torch and a network."""
    ours, theirs = connection.Pipe(duplex=False)
    copy = get_context("forkserver").Process(target=_tell, args=(settings, theirs))
    copy.start()
    theirs.close()
    with ours:
        try:
            found: ArtifactCheck | UsageError = ours.recv()
        except EOFError:
            found = UsageError(f"the process that tried {settings.artifact} was ended: it may need more memory")
    copy.join()
    if isinstance(found, UsageError):
        raise found
    return found


def _tell(settings: Settings, theirs: connection.Connection) -> None:
    heed_sigterm()
    with suppress(BrokenPipeError, KeyboardInterrupt):  # nobody waits any more; Ctrl-C reaches every process
        try:
            theirs.send(trial(settings))
        except UsageError as refusal:
            theirs.send(refusal)
