"""The settings: read from the environment, and refused in a sentence if they are invalid."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from app.parsing.schemas import Options
from app.settings import Settings, share_metrics
from model.errors import UsageError


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


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("artifact", "/somewhere/else", Path("/somewhere/else")),
        ("port", "0", 0),
        ("device", "cpu", "cpu"),
        ("queue_share", "0.25", 0.25),
        ("protocols", "oip,tei", "oip,tei"),
        ("page", "false", False),
        ("open_docs", "1", True),
        ("api_keys_file", "/somewhere/keys", Path("/somewhere/keys")),
        ("cors_origins", "https://a.example, http://b:3000", "https://a.example,http://b:3000"),
        ("access_log", "true", True),
        ("access_log", "all", "all"),
    ],
)
def test_a_variable_changes_its_setting_alone(name: str, text: str, value: object) -> None:
    assert Settings.read() == Settings()
    os.environ[f"DOCKET_{name.upper()}"] = text
    assert Settings.read().model_dump() == Settings().model_dump() | {name: value}


def test_an_unknown_variable_is_refused_with_the_known_ones() -> None:
    os.environ["DOCKET_QUEUE_DOCUMENT"] = "3"
    sentence = refuse()
    assert "DOCKET_QUEUE_DOCUMENT (is it DOCKET_QUEUE_DOCUMENTS?):" in sentence
    assert all(f"DOCKET_{name.upper()}" in sentence for name in Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [
        ("PORT", "65536", "say a number that is 65535 or less"),
        ("PORT", "80a", "say a whole number"),
        ("PORT", "", "say a whole number"),
        ("WORKERS", "-1", "say a number that is 0 or more"),
        ("DEVICE", "tpu", "say 'auto', 'cpu' or 'cuda'"),
        ("MAX_BODY", "0", "say a number that is 1 or more"),
        ("MAX_BODY", "16MiB", "say a whole number"),
        ("MAX_BODY", "9" * 5_000, "say a whole number of fewer digits"),
        ("QUEUE_SHARE", "0", "say a number greater than 0"),
        ("QUEUE_SHARE", "half", "say a number"),
        ("TIMEOUT", "nan", "say a finite number"),
        ("TIMEOUT", "inf", "say a finite number"),
        ("LOG", "xml", "say 'text' or 'json'"),
        ("ACCESS_LOG", "often", "say true or false, or say 'all'"),
        ("TRACES", "2", "say true or false"),
        ("PROTOCOLS", "grpc", "say none, all, or some of oip,hf,tei"),
        ("PROTOCOLS", "all,oip", "say none, all, or some of oip,hf,tei"),
        (
            "CORS_ORIGINS",
            "a.example",
            "'a.example' is no origin: name each as https://app.example.com, lower case, without a path, or * alone",
        ),
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
