"""Values of users are printed without control characters, and a stream that is full or closed ends in one sentence."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.middleware import key_file
from model import command_output
from tests.support import tiny
from tests.support.command_line import run_inline

TIMEOUT_SECONDS = 240.0


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ("größer 比赛 🎉", "größer 比赛 🎉"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x9b1m \x85\u2028\u202e", "\\x9b1m \\x85\\u2028\\u202e"),
        ("\ud800", "\\ud800"),
        ("x" * 40, "x" * 40),
        ("x" * 200_000, f"{'x' * 40}…"),
    ],
    ids=ascii,
)
def test_a_quoted_value_is_escaped_and_cut_after_40_characters(value: str, printed: str) -> None:
    assert command_output.quote(value) == f"'{printed}'"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact in a folder of versions, a file of documents, and a labelled corpus."""
    folder = tmp_path_factory.mktemp("versions")
    tiny.artifact(folder / "one")
    (folder / "lines.jsonl").write_text('{"text": "the goal"}\n' * 3)
    (folder / "corpus.csv").write_text("text,label\nthe goal,sports\nthe law,politics\n")
    return folder


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell that has the function ``docket``."""
    command = f'docket() {{ {sys.executable} -m docket "$@"; }}\n{line}'
    environment = os.environ | {"DIR": str(folder), "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False, env=environment
    )


COMMANDS = {
    "predict": "docket predict $DIR/one $DIR/lines.jsonl",
    "evaluate": "docket evaluate $DIR/one $DIR/corpus.csv --json",
    "models list": "docket models list $DIR",
    "keys new": "docket keys new desk",
    "keys new in a file": "docket keys new desk $DIR/keys",
}


@pytest.mark.parametrize(
    ("command", "stream"),
    [*((command, ">/dev/full") for command in COMMANDS), ("predict", ">&-"), ("keys new in a file", ">&-")],
)
def test_an_output_that_is_full_or_closed_ends_in_one_sentence(folder: Path, command: str, stream: str) -> None:
    done = run(f"{COMMANDS[command]} {stream}", folder)
    reason = "cannot be written (No space left on device)" if "full" in stream else "is closed"
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith(f"docket: standard output {reason}")
    assert not (folder / "keys").exists() or (folder / "keys").read_bytes() == b""


@pytest.mark.parametrize("stream", ["2>/dev/full", "2>&-"], ids=["full", "closed"])
def test_a_stderr_that_is_full_or_closed_changes_neither_the_output_nor_the_exit_code(
    folder: Path, stream: str
) -> None:
    refused = run(f"docket models list $DIR/nowhere {stream}", folder)
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", "")
    written = run(f"docket keys new desk {folder}/more {stream}", folder)
    assert (written.returncode, written.stdout.count("\n"), written.stderr) == (0, 1, "")


def test_a_closed_input_is_refused(folder: Path) -> None:
    done = run("docket predict $DIR/one - <&-", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "docket: standard input is closed: name a file, or pipe documents in\n"


def test_a_file_never_takes_the_number_of_a_closed_stream(folder: Path, tmp_path: Path) -> None:
    done = run(f"docket predict $DIR/one $DIR/lines.jsonl --out {tmp_path}/a.jsonl <&- >&- 2>&-", folder)
    assert done.returncode == 0
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("option", [[], ["--device"]])
def test_a_refusal_prints_no_control_character_of_an_argument(folder: Path, option: list[str]) -> None:
    done = run_inline("predict", folder / "one", *option, "\x1b]0;title\x07\nsports")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.rstrip("\n").isprintable()


def test_keys_of_commands_that_run_at_the_same_time_are_all_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    code = "import sys, docket\nfor n in range(20): docket.main(['keys', 'new', f'{sys.argv[1]}-{n}', sys.argv[2]])"
    commands = [[sys.executable, "-c", code, str(number), str(path)] for number in range(4)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for command in commands
    ]
    printed = [line for process in processes for line in process.communicate(timeout=TIMEOUT_SECONDS)[0].split()]
    assert len(printed) == len({key.name for key in key_file.read(path)}) == 80
    keys = key_file.KeyFile(path)
    assert all(keys.demand([(b"x-api-key", key.encode())]) for key in printed)


def test_a_key_whose_line_cannot_be_completed_leaves_no_part_of_the_line(tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that becomes full in the middle of the line."""
    path = tmp_path / "keys"
    before = f"old:{'0' * 64}\n"
    path.write_text(before)
    size = len(before) + 10
    code = (
        "import resource, signal, sys, docket\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
        "sys.exit(docket.main(['keys', 'new', 'desk', sys.argv[1]]))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # writes files
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(r"docket: .*keys cannot be written \(.*\): .*\n", done.stderr)
    assert path.read_text() == before
