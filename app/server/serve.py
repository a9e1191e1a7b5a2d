"""Processes and their socket: ``docket serve``."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from app.middleware import key_file
from app.observability import stderr
from app.observability.metric_files import check_space
from app.server.preload import prepare, trial, trial_in_a_copy
from app.settings import Settings as Settings
from app.settings import share_metrics
from model.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    import uvicorn

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]  # a module to mypy, which reads the line above alone

BESIDE = 256
"""Files that a process has open beside its connections: about 60, and twice that while another version is loaded."""
UNTAKEN = 20
"""Seconds that an answer may lie here because its client takes nothing of it in; a drain would wait for it too."""
log = logging.getLogger("docket")


def serve(settings: Settings) -> None:
    """Verify the artifact, listen, and answer until SIGTERM; raise ``UsageError`` before anything is answered."""
    if settings.api_keys_file is not None:
        key_file.check(settings.api_keys_file)
    if settings.tls_certificate or settings.tls_key:
        from app.server import tls  # it brings uvicorn, which is else imported while another process reads torch

        tls.check(settings)
    stderr.make_nonblocking()
    settings = _allow_files(asked := settings)
    settings.write()
    if settings.traces:
        _demand_opentelemetry()
    with ExitStack() as stack:
        if settings.workers != 1:
            _share(stack, settings.workers or os.cpu_count() or 1)
        config = _config(settings)
        if settings.connections < asked.connections:
            fewer = "only %d files may be open (ulimit -n): a process takes %d connections, and not %d"
            log.warning(fewer, settings.connections + BESIDE, settings.connections, asked.connections)
        version, workers = trial(settings) if settings.workers == 1 else trial_in_a_copy(settings)
        config.workers = workers
        listener = stack.enter_context(_listen(settings.host, settings.port))
        host, port = listener.getsockname()[:2]
        address = f"{'https' if config.is_ssl else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
        said = {"artifact": str(settings.artifact), "version": version, "address": address, "workers": workers}
        many = "s" if workers > 1 else ""
        log.info(f"serving %(artifact)s (%(version)s) on %(address)s with %(workers)d worker{many}", said, extra=said)
        if workers > 1:
            from app.server.supervisor import Supervisor
            from app.server.worker_process import NotStarted

            try:
                Supervisor(config, listener).run()
            except NotStarted as error:
                raise UsageError(
                    f"{workers} workers cannot be started ({error}): give more memory and processes, or fewer --workers"
                ) from error
        else:
            from app.server.tls import Server

            server = Server(config)

            def end(number: int, frame: FrameType | None) -> None:
                if not server.should_exit:  # else the server raises again, when all is done, the signal that ended it
                    sys.exit(0)

            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, end)
            if hasattr(signal, "SIGHUP"):  # it means nothing yet, and must not end what is starting
                signal.signal(signal.SIGHUP, lambda number, frame: None)
            server.run(sockets=[listener])


def _share(stack: ExitStack, workers: int) -> None:
    """What several workers have in common, among the temporary files: their metrics' folder, and the socket of the
    process that they are copies of.
    """
    try:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="docket-")))
        check_space(folder, workers)
        share_metrics(folder)
        prepare()
    except OSError as error:
        raise UsageError(
            f"several workers cannot be started ({error.strerror or error}): "
            "name in TMPDIR a writable folder with a short path and some MB of room, or serve with --workers 1"
        ) from error
    import app.server.supervisor  # noqa: F401  # Unix alone has what it needs; that process reads torch meanwhile


def _config(settings: Settings) -> uvicorn.Config:
    """uvicorn's, for one worker; what it imports takes 0.3 s, while the process that ``_share`` began reads torch."""
    import uvicorn

    from app.observability import logs
    from app.server import tls

    return uvicorn.Config(
        "app.main:from_environment",
        factory=True,
        http="app.server.http_protocol:HttpProtocol",  # by its name, since it brings torch
        proxy_headers=False,  # nothing here asks who the client is
        log_config=logs.config(settings.log),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=max(1, int(settings.grace)),
        **tls.options(settings),
    )


def _allow_files(settings: Settings) -> Settings:
    """Let each process have as many files open as connections ask for; they inherit it.

    Where there may not be so many, the settings with fewer connections; ``UsageError`` if their number was asked for.
    """
    if resource is None:
        return settings
    needed = settings.connections + BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != hard < needed:
        if "connections" in settings.model_fields_set or hard <= BESIDE:
            raise UsageError(
                f"DOCKET_CONNECTIONS={settings.connections} needs {needed} open files, and {hard} may be: "
                "make it smaller, or raise the limit (ulimit -n)"
            )
        needed = hard
    if resource.RLIM_INFINITY != soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return settings.model_copy(update={"connections": needed - BESIDE})


def _demand_opentelemetry() -> None:
    try:
        import app.observability.tracing  # noqa: F401  # here a sentence can still say what is missing
    except ImportError as error:
        raise UsageError(
            "DOCKET_TRACES=true needs OpenTelemetry: in a checkout of Docket, pip install '.[otel]'"
        ) from error


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux has it, and each connection has it from here
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN * 1000)
            listener.bind(address)
            listener.listen(2048)  # who connects while the network is loaded waits, and is not refused
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port} ({error.strerror}): name another with --host or --port"
        ) from error
    return listener
