"""The log on stderr: one sentence a line for people, or one JSON object a line for programs."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Literal

import structlog
from structlog.contextvars import merge_contextvars

from app.observability.stderr import StderrHandler
from model.command_output import escape_unprintable

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import Processor

    Fields = MutableMapping[str, Any]

LogFormat = Literal["text", "json"]
log = logging.getLogger("docket")


def configure(log_format: LogFormat) -> None:
    """Write the lines of every logger and Python's warnings to stderr in one format."""
    handler = StderrHandler()
    handler.setFormatter(make_formatter(log_format))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    log.setLevel(logging.INFO)
    logging.captureWarnings(True)


def make_formatter(log_format: LogFormat) -> logging.Formatter:
    """Format a record as one line. The message is a full sentence; JSON also has the fields of ``extra``."""
    fields: list[Processor] = [merge_contextvars, structlog.stdlib.ExtraAdder(), structlog.processors.format_exc_info]
    processors: list[Processor] = [_format_text]
    if log_format == "json":
        as_json = structlog.processors.JSONRenderer(ensure_ascii=False)
        processors = [_order_fields, structlog.stdlib.ProcessorFormatter.remove_processors_meta, as_json]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=fields, processors=processors)


def log_request(method: str, path: str, status: str, seconds: float, key: str | None) -> None:
    """Write a request's line. ``path`` is that of its route: a client's own path may hold private data.

    ``key`` is the name of its API key.
    """
    fields = {"method": method, "path": path, "status": int(status), "seconds": round(seconds, 6)}
    if key is not None:
        fields["key"] = key
    key_name = "" if key is None else f" for the key {key}"
    log.info("%s %s: %s in %.1f ms%s", method, path, status, 1000 * seconds, key_name, extra=fields)


def _order_fields(logger: logging.Logger, method: str, fields: Fields) -> Fields:
    """Put the time, the level, the sentence and the origin before the other fields."""
    record: logging.LogRecord = fields["_record"]
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return {
        "timestamp": f"{second}.{int(record.msecs):03}Z",
        "level": record.levelname.lower(),
        "event": fields.pop("event"),
        "logger": record.name,
        "pid": record.process,
        **fields,
    }


def _format_text(logger: logging.Logger, method: str, fields: Fields) -> str:
    record: logging.LogRecord = fields["_record"]
    level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
    request = f" (request {fields['request_id']})" if "request_id" in fields else ""
    traceback = (fields.get("exception") or "").splitlines()
    first_line = f"docket: {level}{escape_unprintable(str(fields['event']))}{request}"
    return "\n".join([first_line, *map(escape_unprintable, traceback)])
