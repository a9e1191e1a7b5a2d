import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from app.parsing.schemas import Options
from app.settings import Settings, share_metrics
from model.errors import UsageError

GIVEN = {
    "artifact": ("/somewhere/else", Path("/somewhere/else")),
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("0", 0),
    "workers": ("3", 3),
    "device": ("cpu", "cpu"),
    "max_body": ("1000", 1000),
    "batch_tokens": ("512", 512),
    "queue_documents": ("7", 7),
    "queue_tokens": ("8000", 8000),
    "queue_share": ("0.25", 0.25),
    "max_documents": ("7", 7),
    "max_characters": ("7", 7),
    "connections": ("7", 7),
    "head_timeout": ("2.5", 2.5),
    "body_timeout": ("2.5", 2.5),
    "timeout": ("2.5", 2.5),
    "protocols": ("oip,tei", "oip,tei"),
    "page": ("false", False),
    "grace": ("4", 4.0),
    "abstain_below": ("0.6", 0.6),
    "api_keys_file": ("/somewhere/keys", Path("/somewhere/keys")),
    "cors_origins": ("https://a.example, http://b:3000", "https://a.example,http://b:3000"),
    "open_metrics": ("true", True),
    "open_docs": ("1", True),
    "tls_certificate": ("/somewhere/tls.crt", Path("/somewhere/tls.crt")),
    "tls_key": ("/somewhere/tls.key", Path("/somewhere/tls.key")),
    "log": ("json", "json"),
    "access_log": ("true", True),
    "traces": ("true", True),
}


@pytest.fixture(autouse=True)
def _environment_of_its_own() -> Iterator[None]:
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(("DOCKET_", "PROMETHEUS_"))]:
            del os.environ[name]
        yield


def refusal(**options: object) -> str:
    with pytest.raises(UsageError) as refused:
        Settings.read(**options)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


def test_without_variables_the_defaults_hold() -> None:
    assert Settings.read().model_dump() == {
        "artifact": Path("artifacts/demo"),
        "host": "127.0.0.1",
        "port": 8000,
        "workers": 0,
        "device": "auto",
        "max_body": 16 * 2**20,
        "batch_tokens": 16_384,
        "queue_documents": 1_024,
        "queue_tokens": 2**20,
        "queue_share": 0.8,
        "max_documents": 1_024,
        "max_characters": 16 * 2**20,
        "connections": 2_048,
        "head_timeout": 10.0,
        "body_timeout": 60.0,
        "timeout": 30.0,
        "protocols": "none",
        "page": True,
        "grace": 30.0,
        "abstain_below": 0.0,
        "api_keys_file": None,
        "cors_origins": None,
        "open_metrics": False,
        "open_docs": False,
        "tls_certificate": None,
        "tls_key": None,
        "log": "text",
        "access_log": False,
        "traces": False,
    }


def test_every_setting_is_tested_here_and_described() -> None:
    assert GIVEN.keys() == Settings.model_fields.keys()
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize("name", GIVEN)
def test_each_variable_is_read_and_changes_its_own_setting_alone(name: str) -> None:
    value, expected = GIVEN[name]
    before = Settings.read().model_dump()
    os.environ[f"DOCKET_{name.upper()}"] = value
    assert Settings.read().model_dump() == before | {name: expected}


def test_an_unknown_variable_is_refused_by_its_name_and_the_known_ones_are_listed() -> None:
    os.environ["DOCKET_QUEUE_DOCUMENT"] = "3"
    sentence = refusal()
    assert "DOCKET_QUEUE_DOCUMENT (is it DOCKET_QUEUE_DOCUMENTS?):" in sentence
    assert all(f"DOCKET_{name.upper()}" in sentence for name in Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "value", "why"),
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
def test_an_invalid_value_is_refused_with_its_name_itself_and_what_can_be_said(name: str, value: str, why: str) -> None:
    os.environ[f"DOCKET_{name}"] = value
    assert f"DOCKET_{name}={value[:40]} cannot be used ({why}): correct it" in refusal()


def test_the_variables_that_kubernetes_sets_for_a_service_called_docket_are_not_settings() -> None:
    os.environ |= {
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


def test_other_variables_are_not_looked_at() -> None:
    os.environ |= {"PORT": "80", "XDOCKET_PORT": "81", "docket_port": "82"}
    assert Settings.read() == Settings()


def test_an_option_beats_its_variable_and_one_left_out_does_not() -> None:
    os.environ |= {"DOCKET_PORT": "8001", "DOCKET_WORKERS": "2"}
    read = Settings.read(port=8002, workers=None, host=None)
    assert (read.port, read.workers, read.host) == (8002, 2, "127.0.0.1")


def test_an_invalid_option_is_refused() -> None:
    assert "--port 70000 cannot be used (say a number that is 65535 or less)" in refusal(port=70_000)


def test_what_is_written_is_read_back_the_same() -> None:
    settings = Settings(**{name: value for name, (_, value) in GIVEN.items()})
    settings.write()
    assert Settings.read() == settings


def test_what_is_not_set_is_not_written() -> None:
    Settings().write()
    assert Settings.read() == Settings()
    assert "DOCKET_API_KEYS_FILE" not in os.environ


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1


def test_workers_share_their_metrics_where_the_environment_says() -> None:
    assert Settings().shared_metrics is None
    share_metrics(Path("/somewhere"))
    assert Settings().shared_metrics == Path("/somewhere")


def test_what_the_service_abstains_below_is_a_default_for_requests_that_do_not_say():
    assert Options().with_abstain_below(0.7).abstain_below == 0.7
    assert Options(abstain_below=0.2).with_abstain_below(0.7).abstain_below == 0.2
    assert Options(abstain_below=0.0).with_abstain_below(0.7).abstain_below == 0.0
