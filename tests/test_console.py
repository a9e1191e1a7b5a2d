"""What a person at a terminal reads: versions, characters of any script, counts, and what an interrupt leaves."""

import json
import re
import signal
import subprocess
import sys
from importlib import metadata

import pytest

import docket_client
from model import __version__
from model.terminal import format_count
from scoring import progress
from tests.support import tiny
from tests.support.command_line import run_inline
from tests.support.service import docket_environment, run_docket
from training.progress import ProgressBars


def test_the_command_and_both_packages_say_their_version():
    assert run_docket("--version").stdout.decode() == f"docket {__version__}\n"
    assert run_inline("--version").returncode == 0
    assert metadata.version("docket-classifier") == __version__
    assert metadata.version("docket-classifier-client") == docket_client.__version__


@pytest.mark.parametrize(
    "locale",
    [{"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "C"}],
    ids=["cp1252", "C"],
)
def test_output_is_utf_8_whatever_the_locale(tmp_path, locale):
    folder = tiny.artifact(tmp_path / "artifact", labels=("спорт", "政治"))

    def run(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "docket", *map(str, arguments)]
        own = docket_environment({}) | locale
        return subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=60, env=own, check=False)

    predicted = run("predict", folder, "--workers", 1, stdin='{"id": "№ 7", "text": "the goal"}\n')
    assert predicted.returncode == 0, predicted.stderr
    answer = json.loads(predicted.stdout.decode("utf-8"))
    assert (answer["id"], answer["label"] in ("спорт", "政治")) == ("№ 7", True)
    refused = run("predict", folder, tmp_path / "нет.csv").stderr.decode("utf-8")
    assert refused.startswith(f"docket: {tmp_path}/нет.csv does not exist")


@pytest.mark.parametrize(("count", "said"), [(0, "0 labels"), (1, "1 label"), (2, "2 labels"), (1234, "1,234 labels")])
def test_a_count_has_its_noun_in_the_right_number(count, said):
    assert format_count(count, "label") == said


def test_serve_takes_its_artifact_from_the_environment(tmp_path):
    named = run_docket("serve", artifact=tmp_path / "named").stderr.decode()
    assert f"{tmp_path / 'named'} is no artifact" in named
    assert (
        "artifacts/nowhere is no artifact"
        in run_docket("serve", "artifacts/nowhere", artifact=tmp_path).stderr.decode()
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupt_before_anything_is_kept_is_one_line_too(tmp_path, number):
    """The command waits for documents on stdin."""
    folder = tiny.artifact(tmp_path / "artifact")
    command = [sys.executable, "-m", "docket", "predict", str(folder), "--workers", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        env=docket_environment({}),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job ignores it
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write('{"text": "the goal"}\n' * 2_100)  # a block, and more to come
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(number)
        process.stdout.read()
        said = process.stderr.read()  # type: ignore[union-attr]
        assert process.wait(60) == 130
    assert said == "docket: stopped\n"


@pytest.mark.parametrize("title", ["[red]tickets[/red].csv", "[/]", ":smile:.csv"])
def test_a_name_with_brackets_is_shown_as_it_is(capsys, monkeypatch, title):
    monkeypatch.setenv("FORCE_COLOR", "1")  # how rich is told that it writes to a terminal
    monkeypatch.setenv("COLUMNS", "200")
    with ProgressBars() as bars:
        bars.begin_run(title, epochs=1, documents=1)
        bars.advance(title, 1, 0.5)
    with progress.show_progress(title, lambda: 0.5) as answered:
        answered(1)
    err = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", capsys.readouterr().err)
    assert err.count(title) >= 2
    assert "1 document ·" in err
