"""``docket predict --out`` never writes over its input, nor over a file of somebody else's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scoring import table
from tests.support.command_line import run_inline

LINE = '{"text": "the goal"}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the input, another file, and other names of both."""
    (tmp_path / "in.jsonl").write_text(LINE)
    (tmp_path / "theirs.jsonl.part").write_text("a diary\n")
    (tmp_path / "noted.jsonl.part.json").write_text('{"asked": "nothing"}')
    (tmp_path / "linked.jsonl").hardlink_to(tmp_path / "in.jsonl")
    (tmp_path / "symbolic.jsonl").symlink_to("in.jsonl")
    (tmp_path / "taken.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "early.jsonl.part").hardlink_to(tmp_path / "in.jsonl")
    (tmp_path / "corpus" / "sports").mkdir(parents=True)
    (tmp_path / "corpus" / "sports" / "1.txt").write_text("the goal")
    return tmp_path


def state(folder: Path) -> dict[str, bytes]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("source", "out", "why"),
    [
        ("in.jsonl", "in.jsonl", "is the input"),
        ("in.jsonl", "linked.jsonl", "is the input"),
        ("in.jsonl", "symbolic.jsonl", "is the input"),
        ("in.jsonl", "corpus/../in.jsonl", "is the input"),
        ("symbolic.jsonl", "in.jsonl", "is the input"),
        ("in.jsonl", "early.jsonl", "early.jsonl.part is the input"),
        ("corpus", "corpus/out.jsonl", "is inside"),
        ("corpus", "corpus/sports/out.csv", "is inside"),
        ("in.jsonl", "theirs.jsonl", "theirs.jsonl.part is there, and docket predict did not write it"),
        ("in.jsonl", "noted.jsonl", "noted.jsonl.part.json is there, and docket predict did not write it"),
        ("in.jsonl", "taken.jsonl", "is a folder"),
        ("in.jsonl", "corpus", "is a folder"),
        ("in.jsonl", "pipe.jsonl", "is no file"),
        ("in.jsonl", "out.xlsx", "make it .jsonl or .csv or .parquet"),
        ("in.jsonl", "nowhere/out.jsonl", "cannot be written"),
        ("in.jsonl", "x" * 252 + ".csv", "cannot be written"),
    ],
)
def test_an_output_that_would_destroy_a_file_or_cannot_be_written_is_refused_before_anything_is(
    artifact, folder, source, out, why
):
    before = state(folder)
    done = run_inline("predict", artifact, folder / source, "--out", folder / out)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert why in done.stderr
    assert state(folder) == before


@pytest.mark.parametrize(
    "redirected", ["- --out in.jsonl < in.jsonl", "in.jsonl >> in.jsonl", "- < in.jsonl >> in.jsonl"]
)
def test_a_stream_that_is_the_input_is_no_output(artifact, tmp_path, redirected):
    (tmp_path / "in.jsonl").write_text(LINE)
    command = f"{sys.executable} -m docket predict {artifact} {redirected}"
    own = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    run = {"cwd": tmp_path, "env": own, "capture_output": True, "text": True, "timeout": 120, "check": False}
    done = subprocess.run(["bash", "-c", command], **run)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "is the input" in done.stderr
    assert (tmp_path / "in.jsonl").read_text() == LINE


def test_a_refused_input_leaves_nothing_beside_the_output(artifact, tmp_path):
    (tmp_path / "in.jsonl").write_text("broken\n")
    assert run_inline("predict", artifact, tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl").returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_an_answer_of_another_day_is_replaced_and_a_link_stays_one(artifact, tmp_path):
    (tmp_path / "in.jsonl").write_text(LINE)
    (tmp_path / "out.jsonl").write_text("old\n")
    (tmp_path / "link.jsonl").symlink_to("out.jsonl")
    assert run_inline("predict", artifact, tmp_path / "in.jsonl", "--out", tmp_path / "link.jsonl").returncode == 0
    assert (tmp_path / "link.jsonl").is_symlink()
    assert '"label"' in (tmp_path / "out.jsonl").read_text()


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet"])
def test_a_full_disk_ends_it_in_one_sentence_and_it_goes_on_where_there_is_room_again(
    artifact, tmp_path, monkeypatch, kind
):
    """A limit on the size of files stands for the disk."""
    (tmp_path / "in.jsonl").write_text(LINE * 5_000)
    out = tmp_path / f"out{kind}"
    code = (
        "import resource, signal, sys, docket\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "limit = int(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "sys.exit(docket.main(['predict', *sys.argv[2:], '--workers', '1']))"
    )
    command = [sys.executable, "-c", code, "600000", str(artifact), str(tmp_path / "in.jsonl"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "cannot be written (File too large): make room" in done.stderr
    assert not out.exists()
    again = run_inline("predict", artifact, tmp_path / "in.jsonl", "--workers", 1, "--out", out)
    assert again.returncode == 0, again.stderr
    assert "going on from there" in again.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", out.name]


def test_a_table_that_cannot_be_made_leaves_the_answers_to_go_on_from(artifact, tmp_path, monkeypatch):
    (tmp_path / "in.jsonl").write_text(LINE)
    with monkeypatch.context() as full:
        full.setattr(table, "GROUP_ROWS", "no number")  # whatever fails in the last step
        with pytest.raises(ValueError, match="Stop argument"):
            run_inline("predict", artifact, tmp_path / "in.jsonl", "--out", tmp_path / "out.parquet")
    again = run_inline("predict", artifact, tmp_path / "in.jsonl", "--out", tmp_path / "out.parquet")
    assert again.returncode == 0
    assert "the answers to 1 document: going on" in again.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.parquet"]
