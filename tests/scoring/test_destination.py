"""``docket predict --out`` overwrites neither its input nor a file of another program."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scoring import output_formats
from tests.support.command_line import run_inline

LINE = '{"text": "the goal"}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the input, other files, and links to both."""
    (tmp_path / "in.jsonl").write_text(LINE)
    (tmp_path / "foreign.jsonl.part").write_text("a diary\n")
    (tmp_path / "noted.jsonl.part.json").write_text('{"asked": "nothing"}')
    (tmp_path / "linked.jsonl").hardlink_to(tmp_path / "in.jsonl")
    (tmp_path / "symbolic.jsonl").symlink_to("in.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "early.jsonl.part").hardlink_to(tmp_path / "in.jsonl")
    (tmp_path / "corpus" / "sports").mkdir(parents=True)
    (tmp_path / "corpus" / "sports" / "1.txt").write_text("the goal")
    return tmp_path


def read_files(folder: Path) -> dict[str, bytes]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("source", "out", "message"),
    [
        ("in.jsonl", "in.jsonl", "is the input"),
        ("in.jsonl", "linked.jsonl", "is the input"),
        ("in.jsonl", "symbolic.jsonl", "is the input"),
        ("in.jsonl", "corpus/../in.jsonl", "is the input"),
        ("symbolic.jsonl", "in.jsonl", "is the input"),
        ("in.jsonl", "early.jsonl", "early.jsonl.part is the input"),
        ("corpus", "corpus/out.jsonl", "is inside"),
        ("corpus", "corpus/sports/out.csv", "is inside"),
        ("in.jsonl", "foreign.jsonl", "foreign.jsonl.part is there, and docket predict did not write it"),
        ("in.jsonl", "noted.jsonl", "noted.jsonl.part.json is there, and docket predict did not write it"),
        ("in.jsonl", "folder.jsonl", "is a folder"),
        ("in.jsonl", "corpus", "is a folder"),
        ("in.jsonl", "pipe.jsonl", "is no file"),
        ("in.jsonl", "out.xlsx", "make it .jsonl or .csv or .parquet"),
        ("in.jsonl", "nowhere/out.jsonl", "cannot be written"),
        ("in.jsonl", "x" * 252 + ".csv", "cannot be written"),
    ],
)
def test_an_output_that_is_unusable_or_would_destroy_a_file_is_refused_before_a_write(
    artifact: Path, folder: Path, source: str, out: str, message: str
) -> None:
    before = read_files(folder)
    result = run_inline("predict", artifact, folder / source, "--out", folder / out)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert message in result.stderr
    assert read_files(folder) == before


@pytest.mark.parametrize(
    "redirection", ["- --out in.jsonl < in.jsonl", "in.jsonl >> in.jsonl", "- < in.jsonl >> in.jsonl"]
)
def test_a_redirected_stream_that_is_both_input_and_output_is_refused(
    artifact: Path, tmp_path: Path, redirection: str
) -> None:
    (tmp_path / "in.jsonl").write_text(LINE)
    command = f"{sys.executable} -m docket predict {artifact} {redirection}"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert "is the input" in result.stderr
    assert (tmp_path / "in.jsonl").read_text() == LINE


def test_a_refused_input_leaves_no_file_beside_the_output(artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("broken\n")
    assert run_inline("predict", artifact, tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl").returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_an_older_output_is_replaced_and_a_link_to_it_stays(artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(LINE)
    (tmp_path / "out.jsonl").write_text("old\n")
    (tmp_path / "link.jsonl").symlink_to("out.jsonl")
    assert run_inline("predict", artifact, tmp_path / "in.jsonl", "--out", tmp_path / "link.jsonl").returncode == 0
    assert (tmp_path / "link.jsonl").is_symlink()
    assert '"label"' in (tmp_path / "out.jsonl").read_text()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_full_disk_is_reported_in_one_sentence_and_the_run_resumes_later(
    artifact: Path, tmp_path: Path, suffix: str
) -> None:
    """A limit on the size of files stands for the disk."""
    (tmp_path / "in.jsonl").write_text(LINE * 5_000)
    out = tmp_path / f"out{suffix}"
    code = (
        "import resource, signal, sys, docket\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))\n"
        "sys.exit(docket.main(['predict', *sys.argv[1:], '--workers', '1']))"
    )
    command = [sys.executable, "-c", code, str(artifact), str(tmp_path / "in.jsonl"), "--out", str(out)]
    failed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (failed.returncode, failed.stderr.count("\n")) == (2, 1), failed.stderr
    assert "cannot be written (File too large): make room" in failed.stderr
    assert not out.exists()
    resumed = run_inline("predict", artifact, tmp_path / "in.jsonl", "--workers", 1, "--out", out)
    assert resumed.returncode == 0, resumed.stderr
    assert "going on from there" in resumed.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", out.name]


def test_a_run_whose_table_could_not_be_written_resumes_from_its_answers(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.jsonl").write_text(LINE)
    with monkeypatch.context() as broken:
        broken.setattr(output_formats, "GROUP_ROWS", "no number")  # any failure of the last step
        with pytest.raises(ValueError, match="Stop argument"):
            run_inline("predict", artifact, tmp_path / "in.jsonl", "--out", tmp_path / "out.parquet")
    resumed = run_inline("predict", artifact, tmp_path / "in.jsonl", "--out", tmp_path / "out.parquet")
    assert resumed.returncode == 0
    assert "the answers to 1 document: going on" in resumed.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.parquet"]
