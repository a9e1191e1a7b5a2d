"""What commands write: values of users are printable, and a stream that is full or closed ends in one sentence."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.middleware import key_file
from model import terminal
from tests.support import tiny
from tests.support.command_line import run_inline

PATIENCE = 120.0


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("größer 比赛 🎉", "größer 比赛 🎉"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x9b1m \x85\u2028\u202e", "\\x9b1m \\x85\\u2028\\u202e"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_could_steer_a_terminal_or_begin_a_line_is_shown_as_its_escape(value, shown):
    assert terminal.escape_unprintable(value) == shown
    assert terminal.quote(value) == f"'{shown}'"


def test_a_value_in_a_message_has_40_characters_at_most():
    assert terminal.quote("x" * 40) == f"'{'x' * 40}'"
    assert terminal.quote("x" * 200_000) == f"'{'x' * 40}…'"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An artifact in a folder of versions, a file for it to score, and a corpus to be evaluated on."""
    folder = tmp_path_factory.mktemp("versions")
    tiny.artifact(folder / "one")
    (folder / "lines.jsonl").write_text('{"text": "the goal"}\n' * 3)
    (folder / "corpus.csv").write_text("text,label\nthe goal,sports\nthe law,politics\n")
    return folder


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line of a shell, with ``docket`` for the command."""
    command = f'docket() {{ {sys.executable} -m docket "$@"; }}\n{line}'
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=os.environ | {"DIR": str(folder), "PYTHONPATH": str(Path(__file__).parents[1])},
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
def test_an_output_that_is_full_or_closed_ends_in_one_sentence(folder, command, stream):
    done = run(f"{COMMANDS[command]} {stream}", folder)
    why = "cannot be written (No space left on device)" if "full" in stream else "is closed"
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith(f"docket: standard output {why}")
    assert not (folder / "keys").exists() or (folder / "keys").read_bytes() == b""


@pytest.mark.parametrize("stream", ["2>/dev/full", "2>&-"], ids=["full", "closed"])
def test_a_stderr_that_is_full_or_closed_changes_neither_the_answer_nor_the_exit_code(folder, stream):
    refused = run(f"docket models list $DIR/nowhere {stream}", folder)
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", "")
    made = run(f"docket keys new desk {folder}/more {stream}", folder)
    assert (made.returncode, made.stdout.count("\n"), made.stderr) == (0, 1, "")


def test_a_closed_input_is_refused(folder):
    done = run("docket predict $DIR/one - <&-", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "docket: standard input is closed: name a file, or pipe documents in\n"


def test_a_file_never_takes_the_number_of_a_closed_stream(folder, tmp_path):
    done = run(f"docket predict $DIR/one $DIR/lines.jsonl --out {tmp_path}/a.jsonl <&- >&- 2>&-", folder)
    assert done.returncode == 0
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("arguments", [["predict", "DIR", "NAME"], ["predict", "DIR", "--device", "NAME"]])
def test_a_refusal_shows_no_escape_sequence_of_an_argument(folder, arguments):
    given = {"DIR": folder / "one", "NAME": "\x1b]0;owned\x07\nsports"}
    done = run_inline(*(given.get(each, each) for each in arguments))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.rstrip("\n").isprintable()


def test_keys_made_at_the_same_time_are_all_in_the_file_and_each_lets_in(tmp_path):
    path = tmp_path / "keys"
    code = "import sys, docket\nfor n in range(20): docket.main(['keys', 'new', f'{sys.argv[1]}-{n}', sys.argv[2]])"
    command, streams = [sys.executable, "-c", code], {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    crew = [subprocess.Popen([*command, str(number), str(path)], **streams) for number in range(4)]
    shown = [line for each in crew for line in each.communicate(timeout=PATIENCE)[0].decode().split()]
    assert len(shown) == len({key.name for key in key_file.read(path)}) == 80
    held = key_file.KeyFile(path)
    assert all(held.name_of([(b"x-api-key", key.encode())]) for key in shown)


def test_a_key_whose_line_cannot_be_written_whole_leaves_no_part_of_it(tmp_path):
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
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")
    }  # it writes files too
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], env=plain, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(r"docket: .*keys cannot be written \(.*\): .*\n", done.stderr)
    assert path.read_text() == before
