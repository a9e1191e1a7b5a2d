"""Every setting of the service: the one place that reads the environment."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from model.errors import UsageError
from model.terminal import quote

PREFIX = "DOCKET_"
_SHARED = "PROMETHEUS_MULTIPROC_DIR"
# Kubernetes puts such variables into every pod beside a Service that is called docket; they are not meant for us.
_SERVICE_LINK = re.compile(
    r"DOCKET_(SERVICE_(HOST|PORT(_.*)?)|PORT_\d+_(TCP|UDP|SCTP)(_.*)?)=.*|DOCKET_PORT=\w+://.*", re.DOTALL
)
Access = bool | Literal["all"]


_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


def _check_origins(origins: str) -> str:
    each = [origin.strip() for origin in origins.split(",")]
    wrong = next((origin for origin in each if not _ORIGIN.fullmatch(origin)), None)
    if wrong is None or each == ["*"]:
        return ",".join(each)
    raise ValueError(
        f"{quote(wrong)} is no origin: name each as https://app.example.com, lower case, without a path, or * alone"
    )


class Settings(BaseModel):
    """What ``DOCKET_…`` variables, in capitals, and the options of ``docket serve`` say."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    artifact: Annotated[Path, Field(description="the folder that docket train wrote")] = Path("artifacts/demo")
    host: Annotated[str, Field(description="the address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="the port to listen on; 0 takes a free one")] = 8000
    workers: Annotated[
        int, Field(ge=0, le=256, description="processes, each with a network; 0: one a core, or one a GPU")
    ] = 0
    device: Annotated[Literal["auto", "cpu", "cuda"], Field(description="auto: the GPU where there is one")] = "auto"
    max_body: Annotated[int, Field(ge=1, description="bytes of a request's body")] = 16 * 2**20
    max_documents: Annotated[int, Field(ge=1, description="documents of a batch; beyond, 413")] = 1_024
    max_characters: Annotated[int, Field(ge=1, description="characters of a document; beyond, 413")] = 16 * 2**20
    connections: Annotated[int, Field(ge=1, description="open connections of a process; beyond, 503")] = 2_048
    head_timeout: Annotated[float, Field(gt=0, description="seconds until a request's head is whole; then 408")] = 10.0
    body_timeout: Annotated[float, Field(gt=0, description="seconds from there until its body is; then 408")] = 60.0
    batch_tokens: Annotated[int, Field(ge=1, description="tokens of a batch")] = 16_384
    queue_documents: Annotated[int, Field(ge=1, description="documents that may wait; beyond, 429")] = 1_024
    queue_tokens: Annotated[int, Field(ge=1, description="tokens that may wait; beyond, 429")] = 2**20
    queue_share: Annotated[
        float,
        Field(gt=0, description="part of a request's time that the queue may take; beyond, 429"),
    ] = 0.8
    timeout: Annotated[
        float, Field(gt=0, description="seconds until a waiting request gets 504; sooner by X-Request-Timeout")
    ] = 30.0
    abstain_below: Annotated[float, Field(ge=0, le=1, description="no label for a score lower than this")] = 0.0
    protocols: Annotated[
        str,
        Field(
            pattern="^(none|all|(oip|hf|tei)(,(oip|hf|tei))*)$",
            description="others to speak: all, or some of oip,hf,tei",
        ),
    ] = "none"
    page: Annotated[bool, Field(description="whether / is the page for people; the API is there in any case")] = True
    grace: Annotated[float, Field(gt=0, description="seconds from SIGTERM to the end")] = 30.0
    api_keys_file: Annotated[Path | None, Field(description="who may ask, a line a key; without it all may")] = None
    cors_origins: Annotated[
        Annotated[str, AfterValidator(_check_origins)] | None,
        Field(description="sites whose pages may send requests, comma-separated origins or *"),
    ] = None
    open_metrics: Annotated[bool, Field(description="where there are keys: /metrics asks for none")] = False
    open_docs: Annotated[bool, Field(description="where there are keys: /docs and /openapi.json ask for none")] = False
    tls_certificate: Annotated[Path | None, Field(description="a chain in PEM, for HTTPS; without it HTTP")] = None
    tls_key: Annotated[Path | None, Field(description="the certificate's key, in PEM")] = None
    log: Annotated[
        Literal["text", "json"], Field(description="lines on stderr: a sentence each, or a JSON object each")
    ] = "text"
    access_log: Annotated[
        Access, Field(description="a line for each request, without its text; all: for probes and /metrics too")
    ] = False
    traces: Annotated[
        bool, Field(description="OpenTelemetry spans to where OTEL_EXPORTER_OTLP_ENDPOINT says; needs the extra otel")
    ] = False

    @classmethod
    def read(cls, **options: Any) -> Settings:
        """Read the environment and the ``options`` that are not None; raise ``UsageError`` for an invalid setting."""
        found = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(PREFIX) and not _SERVICE_LINK.fullmatch(f"{name}={value}")
        }
        values: dict[str, Any] = {name.removeprefix(PREFIX).lower(): value for name, value in found.items()}
        try:
            return cls(**values | {name: value for name, value in options.items() if value is not None})
        except ValidationError as error:
            raise UsageError(_sentence(error, options)) from None

    @property
    def shared_metrics(self) -> Path | None:
        """The folder where several workers add up their metrics; prometheus-client's own variable names it."""
        folder = os.environ.get(_SHARED)
        return Path(folder) if folder else None

    def write(self) -> None:
        """Put the settings into the environment, where worker processes read them."""
        for name, value in self.model_dump(mode="json").items():
            if value is not None:  # which no variable can say
                os.environ[PREFIX + name.upper()] = str(value)


def share_metrics(folder: Path) -> None:
    """Let worker processes that are started from now on add up their metrics in ``folder``."""
    os.environ[_SHARED] = str(folder)


_SENTENCES = {
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
"""A sentence for each type of error that a setting can have."""


def _sentence(error: ValidationError, options: dict[str, Any]) -> str:
    """The first invalid setting, what it takes, and where it was given."""
    first, *others = error.errors()
    field = str(first["loc"][0])
    name = PREFIX + field.upper()
    if first["type"] == "extra_forbidden":
        known = [PREFIX + each.upper() for each in Settings.model_fields]
        like = "".join(f" (is it {each}?)" for each in get_close_matches(name, known, 1))
        return f"there is no setting {name}{like}: remove it from the environment, or name one of {', '.join(known)}"
    same = [first, *(each for each in others if each["loc"][0] == field)]  # one for each type that it may have
    given = str(first["input"])[:40]
    why = ", or ".join(_SENTENCES[each["type"]].format(**each.get("ctx", {})) for each in same)
    if options.get(field) is not None:
        return f"--{field} {given} cannot be used ({why}): correct it"
    return f"{name}={given} cannot be used ({why}): correct it or remove it from the environment"
