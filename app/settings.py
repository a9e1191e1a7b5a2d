"""The settings of the service. No other file reads the environment."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from model.command_output import quote
from model.errors import UsageError

PREFIX = "DOCKET_"
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# Kubernetes sets these variables in each pod of a namespace with a Service called docket. They are no settings.
_SERVICE_LINK = re.compile(
    r"DOCKET_(SERVICE_(HOST|PORT(_.*)?)|PORT_\d+_(TCP|UDP|SCTP)(_.*)?)=.*|DOCKET_PORT=\w+://.*", re.DOTALL
)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


def _check_origins(origins: str) -> str:
    """Return the comma-separated origins without spaces. Raises: ``ValueError`` for an invalid one."""
    names = [origin.strip() for origin in origins.split(",")]
    invalid = next((name for name in names if not _ORIGIN.fullmatch(name)), None)
    if invalid is None or names == ["*"]:
        return ",".join(names)
    raise ValueError(
        f"{quote(invalid)} is no origin: name each as https://app.example.com, lower case, without a path, or * alone"
    )


class Settings(BaseModel):
    """The values of the ``DOCKET_…`` variables and of the options of ``docket serve``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    artifact: Path = Field(Path("artifacts/demo"), description="the folder that docket train wrote")
    host: str = Field("127.0.0.1", description="the address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="the port to listen on; 0 takes a free one")
    workers: int = Field(
        0, ge=0, le=256, description="worker processes, each with a network; 0: one a core, or one for a GPU"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: the GPU if there is one, else the CPU")
    max_body: int = Field(16 * 2**20, ge=1, description="bytes of a request's body; beyond, 413")
    max_documents: int = Field(1_024, ge=1, description="documents of a batch; beyond, 413")
    max_characters: int = Field(16 * 2**20, ge=1, description="characters of a document; beyond, 413")
    connections: int = Field(2_048, ge=1, description="open connections of a process; beyond, 503")
    head_timeout: float = Field(10.0, gt=0, description="seconds for a request's head to arrive; then 408")
    body_timeout: float = Field(60.0, gt=0, description="seconds for a request's body to arrive; then 408")
    batch_tokens: int = Field(16_384, ge=1, description="tokens of a batch")
    queue_documents: int = Field(1_024, ge=1, description="documents in the queue; beyond, 429")
    queue_tokens: int = Field(2**20, ge=1, description="tokens in the queue; beyond, 429")
    queue_share: float = Field(0.8, gt=0, description="share of a request's time that the queue may take; beyond, 429")
    timeout: float = Field(
        30.0, gt=0, description="seconds until a waiting request gets 504; X-Request-Timeout can shorten it"
    )
    abstain_below: float = Field(0.0, ge=0, le=1, description="no label for a score lower than this")
    protocols: str = Field(
        "none",
        pattern="^(none|all|(oip|hf|tei)(,(oip|hf|tei))*)$",
        description="further protocols: none, all, or some of oip,hf,tei",
    )
    page: bool = Field(True, description="whether / is the web page")
    grace: float = Field(30.0, gt=0, description="seconds for the drain after SIGTERM")
    api_keys_file: Path | None = Field(None, description="file of API keys; without it no request needs a key")
    cors_origins: Annotated[str, AfterValidator(_check_origins)] | None = Field(
        None, description="sites whose pages may send requests, comma-separated origins or *"
    )
    open_metrics: bool = Field(False, description="whether /metrics needs no API key")
    open_docs: bool = Field(False, description="whether /docs and /openapi.json need no API key")
    tls_certificate: Path | None = Field(None, description="certificate chain in PEM; without it HTTP")
    tls_key: Path | None = Field(None, description="private key of the certificate, in PEM")
    log: Literal["text", "json"] = Field("text", description="format of a log line: a sentence or a JSON object")
    access_log: bool | Literal["all"] = Field(
        False, description="a log line for each request, without its text; all: for probes and /metrics too"
    )
    traces: bool = Field(False, description="OpenTelemetry spans to OTEL_EXPORTER_OTLP_ENDPOINT; needs the extra otel")

    @classmethod
    def read(cls, **options: Any) -> Settings:
        """Return the settings of the environment. An option that is not None replaces its variable.

        Raises: ``UsageError`` for an unknown or invalid setting.
        """
        variables = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(PREFIX) and not _SERVICE_LINK.fullmatch(f"{name}={value}")
        }
        values: dict[str, Any] = {name.removeprefix(PREFIX).lower(): value for name, value in variables.items()}
        try:
            return cls(**values | {name: value for name, value in options.items() if value is not None})
        except ValidationError as error:
            raise UsageError(_describe_first(error, options)) from None

    @property
    def shared_metrics(self) -> Path | None:
        """The folder of the metrics of several workers; a variable of prometheus-client names it."""
        folder = os.environ.get(_METRICS_FOLDER)
        return Path(folder) if folder else None


def share_metrics(folder: Path) -> None:
    """Have the worker processes that start later add up their metrics in ``folder``."""
    os.environ[_METRICS_FOLDER] = str(folder)


_ADVICE = {
    "bool_parsing": "say true or false",
    "int_parsing": "say a whole number",
    "int_parsing_size": "say a whole number of fewer digits",
    "float_parsing": "say a number",
    "finite_number": "say a finite number",
    "literal_error": "say {expected}",
    "string_pattern_mismatch": "say none, all, or some of oip,hf,tei",
    "greater_than": "say a number greater than {gt:g}",
    "greater_than_equal": "say a number that is {ge:g} or more",
    "less_than_equal": "say a number that is {le:g} or less",
    "value_error": "{error}",
}
"""The advice for each of pydantic's error types that a setting can have."""


def _describe_first(error: ValidationError, options: dict[str, Any]) -> str:
    """Return a sentence about the first invalid setting: its name, its value and what it takes."""
    first, *further = error.errors()
    field = str(first["loc"][0])
    name = PREFIX + field.upper()
    if first["type"] == "extra_forbidden":
        known = [PREFIX + setting.upper() for setting in Settings.model_fields]
        guess = "".join(f" (is it {match}?)" for match in get_close_matches(name, known, 1))
        return f"there is no setting {name}{guess}: remove it from the environment, or name one of {', '.join(known)}"
    errors = [first, *(entry for entry in further if entry["loc"][0] == field)]  # a union has one error for each type
    value = str(first["input"])[:40]
    advice = ", or ".join(_ADVICE[entry["type"]].format(**entry.get("ctx", {})) for entry in errors)
    if options.get(field) is not None:
        return f"--{field} {value} cannot be used ({advice}): correct it"
    return f"{name}={value} cannot be used ({advice}): correct it or remove it from the environment"
