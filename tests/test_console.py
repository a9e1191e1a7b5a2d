"""What a person at a terminal reads: versions, characters of any script, counts, and the line of an interrupt."""

import json
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import docket_client
from model import __version__
from model.command_output import format_count
from tests.support import tiny
from tests.support.command_line import run_inline, without_coverage
from tests.support.service import docket_environment, run_docket


def test_the_command_and_both_packages_have_a_version() -> None:
    assert run_docket("--version").stdout.decode() == f"docket {__version__}\n"
    assert run_inline("--version").returncode == 0
    assert metadata.version("docket-classifier") == __version__
    assert metadata.version("docket-classifier-client") == docket_client.__version__


@pytest.mark.parametrize("locale", [{"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "C"}], ids=["cp1252", "C"])
def test_output_is_utf_8_in_any_locale(tmp_path: Path, locale: dict[str, str]) -> None:
    folder = tiny.artifact(tmp_path / "artifact", labels=("спорт", "政治"))

    def run(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "docket", *map(str, arguments)]
        environment = docket_environment({}) | locale
        return subprocess.run(
            command, input=stdin.encode(), capture_output=True, timeout=240, env=environment, check=False
        )

    predicted = run("predict", folder, "--workers", 1, stdin='{"id": "№ 7", "text": "the goal"}\n')
    assert predicted.returncode == 0, predicted.stderr
    answer = json.loads(predicted.stdout.decode("utf-8"))
    assert (answer["id"], answer["label"] in ("спорт", "政治")) == ("№ 7", True)
    refused = run("predict", folder, tmp_path / "нет.csv").stderr.decode("utf-8")
    assert refused.startswith(f"docket: {tmp_path}/нет.csv does not exist")


@pytest.mark.parametrize(("count", "text"), [(0, "0 labels"), (1, "1 label"), (2, "2 labels"), (1234, "1,234 labels")])
def test_a_count_has_its_noun_in_singular_or_plural(count: int, text: str) -> None:
    assert format_count(count, "label") == text


def test_serve_takes_its_artifact_from_the_environment_or_the_argument(tmp_path: Path) -> None:
    for arguments, artifact in (([], tmp_path / "named"), (["artifacts/nowhere"], "artifacts/nowhere")):
        refused = run_docket("serve", *arguments, artifact=tmp_path / "named").stderr.decode()
        assert f"{artifact} is no artifact" in refused


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupt_of_predict_is_one_line(tmp_path: Path, number: signal.Signals) -> None:
    """The command waits for documents on stdin."""
    folder = tiny.artifact(tmp_path / "artifact")
    command = [sys.executable, "-m", "docket", "predict", str(folder), "--workers", "1"]
    with (
        (tmp_path / "stderr").open("w") as stderr,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=without_coverage(docket_environment({})),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job ignores it
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write('{"text": "the goal"}\n' * 2_100)  # a block, and more to come
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(number)
        process.stdout.read()
        assert process.wait(120) == 130
    assert (tmp_path / "stderr").read_text() == "docket: stopped\n"
