"""``docket serve``: checks, the socket, and one process or several."""

from __future__ import annotations

import logging
import resource
import socket
import tempfile
from contextlib import ExitStack, suppress
from multiprocessing import Pipe, get_context
from pathlib import Path
from typing import TYPE_CHECKING

from app.middleware import key_file
from app.observability import logs, stderr
from app.observability.metric_file_space import check_space
from app.server import tls
from app.settings import Settings as Settings
from app.settings import share_metrics
from model.errors import UsageError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

SPARE_FILES = 256
"""Open files of a process beside its connections: about 60, and twice as many while it loads another version."""
UNREAD_ANSWER_SECONDS = 20
"""Time until a connection is closed whose client reads nothing of its answer. A drain waits for it too."""
BACKLOG = 2048
"""Connections that wait in the kernel while the network loads."""
log = logging.getLogger("docket")


def serve(settings: Settings) -> None:
    """Check all settings and the artifact, then listen and serve until SIGTERM.

    Raises: ``UsageError`` before the socket opens, if a check fails.
    """
    _check_files(settings)
    stderr.make_nonblocking()
    logs.configure(settings.log)
    settings = _raise_file_limit(settings)

    from model.device import count_usable_cores  # importing torch takes 2 s

    with ExitStack() as stack:
        workers = settings.workers or count_usable_cores()
        if workers > 1:
            _share_metrics(stack, workers)
        from app.server.http_server import HttpServer  # imports the application; workers are copies of this process

        version, device = _check_artifact(settings) if workers == 1 else _check_artifact_in_copy(settings)
        if device == "cuda" and not settings.workers:
            workers = 1
        listener = stack.enter_context(_listen(settings.host, settings.port))
        _log_start(settings, workers, listener, version)
        if workers > 1:
            from app.server.supervisor import Supervisor

            Supervisor(settings, workers, listener).run()
        else:
            server = HttpServer(settings)
            server.handle_early_signals()
            server.run(sockets=[listener])


def _check_files(settings: Settings) -> None:
    """Check the keys, the certificate, and whether tracing is installed. Raises: ``UsageError``."""
    if settings.api_keys_file is not None:
        key_file.check(settings.api_keys_file)
    tls.connection_options(settings)  # raises for files that cannot be used
    if settings.traces:
        try:
            import app.observability.tracing  # noqa: F401  # the check is whether it can be imported
        except ImportError as error:
            raise UsageError(
                "DOCKET_TRACES=true needs OpenTelemetry: in a checkout of Docket, pip install '.[otel]'"
            ) from error


def _raise_file_limit(settings: Settings) -> Settings:
    """Raise the limit of open files to what the connections need. Worker processes inherit it.

    Returns the settings, with fewer connections if the limit cannot be raised so far. Raises: ``UsageError`` if the
    number of connections was set and needs more files than the limit.
    """
    needed = settings.connections + SPARE_FILES
    soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != hard_limit < needed:
        if "connections" in settings.model_fields_set or hard_limit <= SPARE_FILES:
            raise UsageError(
                f"DOCKET_CONNECTIONS={settings.connections} needs {needed} open files, and {hard_limit} may be: "
                "make it smaller, or raise the limit (ulimit -n)"
            )
        message = "only %d files may be open (ulimit -n): a process takes %d connections, and not %d"
        log.warning(message, hard_limit, hard_limit - SPARE_FILES, settings.connections)
        needed = hard_limit
    if resource.RLIM_INFINITY != soft_limit < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard_limit))
    return settings.model_copy(update={"connections": needed - SPARE_FILES})


def _share_metrics(stack: ExitStack, workers: int) -> None:
    """Create the folder in which the workers add up their metrics. prometheus-client reads its name when imported."""
    try:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="docket-")))
        check_space(folder, workers)
    except OSError as error:
        raise UsageError(
            f"several workers cannot be started ({error.strerror or error}): "
            "name in TMPDIR a writable folder with some MB of room, or serve with --workers 1"
        ) from error
    share_metrics(folder)


def _check_artifact(settings: Settings) -> tuple[str, str]:
    """Load the artifact as a worker does, and return its version and the type of its device: ``cpu`` or ``cuda``.

    Raises: ``UsageError`` if it cannot be served.
    """
    from model.classifier import Classifier

    classifier = Classifier.load(settings.artifact, settings.device, threads=1, warm=False)
    return classifier.version, classifier.device


def _check_artifact_in_copy(settings: Settings) -> tuple[str, str]:
    """Check the artifact in a copy of this process, which then holds no network and no GPU.

    Raises: ``UsageError`` if the artifact cannot be served, or if there is no room for another process.
    """
    receiver, sender = Pipe(duplex=False)
    copy = get_context("fork").Process(target=_send_check, args=(settings, sender))
    with receiver:
        try:
            with sender:
                copy.start()
            result: tuple[str, str] | UsageError = receiver.recv()
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
            sender.send(_check_artifact(settings))
        except UsageError as error:
            sender.send(error)


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises: ``UsageError`` if the address cannot be used."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = addresses[0]
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # on Linux; each connection inherits it
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_ANSWER_SECONDS * 1000)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port} ({error.strerror}): name another with --host or --port"
        ) from error
    return listener


def _log_start(settings: Settings, workers: int, listener: socket.socket, version: str) -> None:
    host, port = listener.getsockname()[:2]
    scheme = "http" if settings.tls_certificate is None else "https"
    fields = {
        "artifact": str(settings.artifact),
        "version": version,
        "address": f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}",
        "workers": workers,
    }
    noun = "worker" if workers == 1 else "workers"
    log.info(f"serving %(artifact)s (%(version)s) on %(address)s with %(workers)d {noun}", fields, extra=fields)
