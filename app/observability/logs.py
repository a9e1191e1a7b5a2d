"""What the service writes to stderr: a sentence a line for people, or a JSON object a line for programs."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Literal

import structlog
from structlog.contextvars import merge_contextvars

from model.terminal import escape_unprintable

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import Processor

    Line = MutableMapping[str, Any]

Form = Literal["text", "json"]
log = logging.getLogger("docket")


def config(form: Form) -> dict[str, Any]:
    """For ``logging.config``: every logger of the process, libraries' and Python's warnings too, in one form.

    Plain values alone: uvicorn hands it to its worker processes.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "app.observability.logs.formatter", "form": form}},
        "handlers": {"stderr": {"class": "app.observability.stderr.Stderr", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"docket": {"level": "INFO"}},
    }


def formatter(form: Form) -> logging.Formatter:
    """A record → its line. The message says all in a sentence; ``extra`` has its parts as fields, for JSON alone."""
    fields: list[Processor] = [merge_contextvars, structlog.stdlib.ExtraAdder(), structlog.processors.format_exc_info]
    if form == "text":
        return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=fields, processors=[_text])
    own = [_origin, structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    as_json = structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=fields, processors=[*own, as_json])


def log_request(method: str, path: str, status: str, seconds: float, key: str | None) -> None:
    """The line of a request; ``path`` is its route's, since what a client writes there is not ours to keep; ``key``:
    the name of the one that it showed.
    """
    fields = {"method": method, "path": path, "status": int(status), "seconds": round(seconds, 6)}
    if key is not None:
        fields["key"] = key
    holder = "" if key is None else f" for the key {key}"
    log.info("%s %s: %s in %.1f ms%s", method, path, status, 1000 * seconds, holder, extra=fields)


def _origin(logger: logging.Logger, method: str, line: Line) -> Line:
    """When, how grave and whose it is, before the rest."""
    record: logging.LogRecord = line["_record"]
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return {
        "timestamp": f"{at}.{int(record.msecs):03}Z",
        "level": record.levelname.lower(),
        "event": line.pop("event"),
        "logger": record.name,
        "pid": record.process,
        **line,
    }


def _text(logger: logging.Logger, method: str, line: Line) -> str:
    record: logging.LogRecord = line["_record"]
    grave = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
    asked = f" (request {line['request_id']})" if "request_id" in line else ""
    traceback = (line.get("exception") or "").splitlines()
    return "\n".join(
        [f"docket: {grave}{escape_unprintable(str(line['event']))}{asked}", *map(escape_unprintable, traceback)]
    )
