"""The check of the artifact before the service listens."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from model.errors import UsageError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from app.settings import Settings


class CheckedArtifact(NamedTuple):
    """The version of an artifact that can be served, and the type of its device: ``cpu`` or ``cuda``."""

    version: str
    device: str


def check_artifact(settings: Settings) -> CheckedArtifact:
    """Load the artifact as a worker does. Raises: ``UsageError`` if it cannot be served."""
    from model.classifier import Classifier  # importing torch takes 2 s

    classifier = Classifier.load(settings.artifact, settings.device, threads=1, warm=False)
    return CheckedArtifact(classifier.version, classifier.device)


def check_artifact_in_copy(settings: Settings) -> CheckedArtifact:
    """Check the artifact in a copy of this process, which then holds no network and no GPU.

    Raises: ``UsageError`` if the artifact cannot be served, or if there is no room for another process.
    """
    from multiprocessing import Pipe, get_context

    receiver, sender = Pipe(duplex=False)
    copy = get_context("fork").Process(target=_send_check, args=(settings, sender))
    with receiver:
        try:
            with sender:
                copy.start()
            result: CheckedArtifact | UsageError = receiver.recv()
        except EOFError:
            result = UsageError(f"the process that tried {settings.artifact} was ended: it may need more memory")
        except OSError as error:
            raise UsageError(
                f"several workers cannot be started ({error}): give more memory and processes, or --workers 1"
            ) from error
    copy.join()
    if isinstance(result, UsageError):
        raise result
    return result


def _send_check(settings: Settings, sender: Connection) -> None:
    with suppress(BrokenPipeError, KeyboardInterrupt):  # the service ended, or Ctrl-C reached all its processes
        try:
            sender.send(check_artifact(settings))
        except UsageError as error:
            sender.send(error)
