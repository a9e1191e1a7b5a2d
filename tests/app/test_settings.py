"""The settings: read from the environment, and refused in a sentence if they are invalid."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from app.parsing.schemas import Options
from app.settings import Settings, share_metrics
from model.errors import UsageError

SETTINGS = {
    "artifact": (Path("artifacts/demo"), "/somewhere/else", Path("/somewhere/else")),
    "host": ("127.0.0.1", "0.0.0.0", "0.0.0.0"),
    "port": (8000, "0", 0),
    "workers": (0, "3", 3),
    "device": ("auto", "cpu", "cpu"),
    "max_body": (16 * 2**20, "1000", 1000),
    "batch_tokens": (16_384, "512", 512),
    "queue_documents": (1_024, "7", 7),
    "queue_tokens": (2**20, "8000", 8000),
    "queue_share": (0.8, "0.25", 0.25),
    "max_documents": (1_024, "7", 7),
    "max_characters": (16 * 2**20, "7", 7),
    "connections": (2_048, "7", 7),
    "head_timeout": (10.0, "2.5", 2.5),
    "body_timeout": (60.0, "2.5", 2.5),
    "timeout": (30.0, "2.5", 2.5),
    "protocols": ("none", "oip,tei", "oip,tei"),
    "page": (True, "false", False),
    "grace": (30.0, "4", 4.0),
    "abstain_below": (0.0, "0.6", 0.6),
    "api_keys_file": (None, "/somewhere/keys", Path("/somewhere/keys")),
    "cors_origins": (None, "https://a.example, http://b:3000", "https://a.example,http://b:3000"),
    "open_metrics": (False, "true", True),
    "open_docs": (False, "1", True),
    "tls_certificate": (None, "/somewhere/tls.crt", Path("/somewhere/tls.crt")),
    "tls_key": (None, "/somewhere/tls.key", Path("/somewhere/tls.key")),
    "log": ("text", "json", "json"),
    "access_log": (False, "true", True),
    "traces": (False, "true", True),
}
"""For each setting: the default, a text of its variable, and the value of that text."""


@pytest.fixture(autouse=True)
def _clean_environment() -> Iterator[None]:
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(("DOCKET_", "PROMETHEUS_"))]:
            del os.environ[name]
        yield


def refuse(**options: object) -> str:
    with pytest.raises(UsageError) as refused:
        Settings.read(**options)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.read().model_dump() == {name: default for name, (default, _, _) in SETTINGS.items()}


def test_a_variable_changes_its_setting_alone() -> None:
    defaults = Settings.read().model_dump()
    for name, (_, text, value) in SETTINGS.items():
        with patch.dict(os.environ, {f"DOCKET_{name.upper()}": text}):
            assert Settings.read().model_dump() == defaults | {name: value}


def test_an_unknown_variable_is_refused_with_the_known_ones() -> None:
    os.environ["DOCKET_QUEUE_DOCUMENT"] = "3"
    sentence = refuse()
    assert "DOCKET_QUEUE_DOCUMENT (is it DOCKET_QUEUE_DOCUMENTS?):" in sentence
    assert all(f"DOCKET_{name.upper()}" in sentence for name in Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [
        ("PORT", "65536", "say a number that is 65535 or less"),
        ("PORT", "-1", "say a number that is 0 or more"),
        ("PORT", "80a", "say a whole number"),
        ("PORT", "", "say a whole number"),
        ("WORKERS", "-1", "say a number that is 0 or more"),
        ("WORKERS", "two", "say a whole number"),
        ("WORKERS", "1.5", "say a whole number"),
        ("DEVICE", "tpu", "say 'auto', 'cpu' or 'cuda'"),
        ("MAX_BODY", "0", "say a number that is 1 or more"),
        ("MAX_BODY", "16MiB", "say a whole number"),
        ("MAX_BODY", "9" * 5_000, "say a whole number of fewer digits"),
        ("BATCH_TOKENS", "0", "say a number that is 1 or more"),
        ("QUEUE_DOCUMENTS", "0", "say a number that is 1 or more"),
        ("QUEUE_TOKENS", "-5", "say a number that is 1 or more"),
        ("QUEUE_SHARE", "0", "say a number greater than 0"),
        ("QUEUE_SHARE", "half", "say a number"),
        ("TIMEOUT", "0", "say a number greater than 0"),
        ("TIMEOUT", "nan", "say a finite number"),
        ("TIMEOUT", "inf", "say a finite number"),
        ("LOG", "xml", "say 'text' or 'json'"),
        ("ACCESS_LOG", "often", "say true or false, or say 'all'"),
        ("TRACES", "2", "say true or false"),
        ("PROTOCOLS", "grpc", "say none, all, or some of oip,hf,tei"),
        ("PROTOCOLS", "oip;tei", "say none, all, or some of oip,hf,tei"),
        ("PROTOCOLS", "all,oip", "say none, all, or some of oip,hf,tei"),
        (
            "CORS_ORIGINS",
            "a.example",
            "'a.example' is no origin: name each as https://app.example.com, lower case, without a path, or * alone",
        ),
        ("GRACE", "-1", "say a number greater than 0"),
        ("GRACE", "inf", "say a finite number"),
    ],
)
def test_an_invalid_value_is_refused_with_advice(name: str, text: str, advice: str) -> None:
    os.environ[f"DOCKET_{name}"] = text
    assert f"DOCKET_{name}={text[:40]} cannot be used ({advice}): correct it" in refuse()


def test_variables_without_the_prefix_or_of_a_kubernetes_service_called_docket_are_no_settings() -> None:
    os.environ |= {
        "PORT": "80",
        "XDOCKET_PORT": "81",
        "docket_port": "82",
        "DOCKET_SERVICE_HOST": "10.0.0.11",
        "DOCKET_SERVICE_PORT": "8000",
        "DOCKET_SERVICE_PORT_HTTP": "8000",
        "DOCKET_PORT": "tcp://10.0.0.11:8000",
        "DOCKET_PORT_8000_TCP": "tcp://10.0.0.11:8000",
        "DOCKET_PORT_8000_TCP_PROTO": "tcp",
        "DOCKET_PORT_8000_TCP_PORT": "8000",
        "DOCKET_PORT_8000_TCP_ADDR": "10.0.0.11",
    }
    assert Settings.read() == Settings()


def test_an_option_replaces_its_variable_unless_it_is_none_and_is_checked_as_well() -> None:
    os.environ |= {"DOCKET_PORT": "8001", "DOCKET_WORKERS": "2"}
    settings = Settings.read(port=8002, workers=None, host=None)
    assert (settings.port, settings.workers, settings.host) == (8002, 2, "127.0.0.1")
    assert "--port 70000 cannot be used (say a number that is 65535 or less)" in refuse(port=70_000)


def test_the_environment_names_the_folder_of_shared_metrics() -> None:
    assert Settings().shared_metrics is None
    share_metrics(Path("/somewhere"))
    assert Settings().shared_metrics == Path("/somewhere")


@pytest.mark.parametrize(("requested", "used"), [(None, 0.7), (0.2, 0.2), (0.0, 0.0)])
def test_the_setting_abstain_below_is_the_default_of_a_request(requested: float | None, used: float) -> None:
    options = Options() if requested is None else Options(abstain_below=requested)
    assert options.with_abstain_below(0.7).abstain_below == used
