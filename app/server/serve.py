"""``docket serve``: checks, the socket, and one process or several."""

from __future__ import annotations

import logging
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from app.middleware import key_file
from app.observability import stderr
from app.observability.metric_files import check_space
from app.server import tls
from app.server.artifact_check import check_artifact, check_artifact_in_copy
from app.settings import Settings as Settings
from app.settings import share_metrics
from model.errors import UsageError

if TYPE_CHECKING:
    import uvicorn

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]  # mypy reads the line above alone

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
    requested_connections = settings.connections
    settings = _raise_file_limit(settings)
    settings.write()
    with ExitStack() as stack:
        workers = settings.workers or _count_cores()
        if workers > 1:
            _share_metrics(stack, workers)
        config = _create_config(settings)
        if settings.connections < requested_connections:
            message = "only %d files may be open (ulimit -n): a process takes %d connections, and not %d"
            log.warning(message, settings.connections + SPARE_FILES, settings.connections, requested_connections)
        artifact = check_artifact(settings) if workers == 1 else check_artifact_in_copy(settings)
        if artifact.device == "cuda" and not settings.workers:
            workers = 1
        config.workers = workers
        listener = stack.enter_context(_listen(settings.host, settings.port))
        _log_start(settings, config, listener, artifact.version)
        if workers > 1:
            from app.server.supervisor import Supervisor

            Supervisor(config, listener).run()
        else:
            from app.server.http_server import HttpServer

            server = HttpServer(config)
            server.handle_early_signals()
            server.run(sockets=[listener])


def _check_files(settings: Settings) -> None:
    """Check the keys, the certificate, and whether tracing is installed. Raises: ``UsageError``."""
    if settings.api_keys_file is not None:
        key_file.check(settings.api_keys_file)
    tls.check(settings)
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
    if resource is None:
        return settings
    needed = settings.connections + SPARE_FILES
    soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != hard_limit < needed:
        if "connections" in settings.model_fields_set or hard_limit <= SPARE_FILES:
            raise UsageError(
                f"DOCKET_CONNECTIONS={settings.connections} needs {needed} open files, and {hard_limit} may be: "
                "make it smaller, or raise the limit (ulimit -n)"
            )
        needed = hard_limit
    if resource.RLIM_INFINITY != soft_limit < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard_limit))
    return settings.model_copy(update={"connections": needed - SPARE_FILES})


def _count_cores() -> int:
    from model import device  # importing torch takes 2 s

    return device.count_usable_cores()


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


def _create_config(settings: Settings) -> uvicorn.Config:
    """Import the application, and return the configuration of its server. Workers are copies of this process."""
    import uvicorn

    from app.main import from_environment
    from app.observability import logs
    from app.server.http_protocol import HttpProtocol

    return uvicorn.Config(
        from_environment,
        factory=True,
        http=HttpProtocol,
        proxy_headers=False,  # no part of the service uses the client's address
        log_config=logs.config(settings.log),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=max(1, int(settings.grace)),
        **tls.uvicorn_options(settings),
    )


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


def _log_start(settings: Settings, config: uvicorn.Config, listener: socket.socket, version: str) -> None:
    host, port = listener.getsockname()[:2]
    fields = {
        "artifact": str(settings.artifact),
        "version": version,
        "address": f"{'https' if config.is_ssl else 'http'}://{f'[{host}]' if ':' in host else host}:{port}",
        "workers": config.workers,
    }
    noun = "worker" if config.workers == 1 else "workers"
    log.info(f"serving %(artifact)s (%(version)s) on %(address)s with %(workers)d {noun}", fields, extra=fields)
