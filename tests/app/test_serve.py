import hashlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import docket
from model.artifacts import artifact as artifacts
from tests.support.service import WAIT_SECONDS, docket_environment, running_server, wait_until
from tests.support.service import run_docket as docket_process


def missing(folder: Path) -> None:
    shutil.rmtree(folder)


def without_a_manifest(folder: Path) -> None:
    (folder / artifacts.MANIFEST_FILE).unlink()


def without_a_network(folder: Path) -> None:
    (folder / artifacts.NETWORK_FILE).unlink()


def cut_short(folder: Path) -> None:
    data = (folder / artifacts.NETWORK_FILE).read_bytes()
    (folder / artifacts.NETWORK_FILE).write_bytes(data[: len(data) // 2])


def of_another_format(folder: Path) -> None:
    manifest = json.loads((folder / artifacts.MANIFEST_FILE).read_text())
    (folder / artifacts.MANIFEST_FILE).write_text(json.dumps(manifest | {"format": 99}))


def with_a_network_that_this_torch_cannot_read(folder: Path) -> None:
    """Whole, with sums that agree, and no TorchScript: as one of a later torch would be."""
    (folder / artifacts.NETWORK_FILE).write_bytes(b"from the future")
    manifest = json.loads((folder / artifacts.MANIFEST_FILE).read_text())
    manifest["sha256"][artifacts.NETWORK_FILE] = hashlib.sha256(b"from the future").hexdigest()
    signed = json.dumps([manifest["sha256"], manifest["calibration"]], sort_keys=True)
    manifest["version"] = hashlib.sha256(signed.encode()).hexdigest()[:12]
    (folder / artifacts.MANIFEST_FILE).write_text(json.dumps(manifest))


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """The one sentence of a start that is refused; it asks for a port that is taken, so that nothing ever starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:

        def refusal(*arguments: object, **settings: object) -> str:
            monkeypatch.setattr(os, "environ", docket_environment(settings))
            port = [] if "--port" in arguments or "port" in settings else ["--port", str(taken.getsockname()[1])]
            try:
                code = docket.main(["serve", *map(str, arguments), *port])
            except SystemExit as exit_:
                code = exit_.code
            assert code == 2
            return one_sentence(*capsys.readouterr())

        yield refusal


def one_sentence(out: str, err: str) -> str:
    assert out == ""
    assert err.startswith("docket: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    return err


@pytest.mark.parametrize(
    ("spoil", "named", "mend"),
    [
        (missing, "is no artifact", "docket train --out"),
        (without_a_manifest, "manifest.json", "docket train --out"),
        (without_a_network, "model.pt", "copy the folder whole"),
        (cut_short, "model.pt", "copy the folder whole"),
        (of_another_format, "format 99", "train again"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_an_artifact_that_cannot_be_served_is_refused_with_its_name_and_the_mend(
    refusal: Callable[..., str],
    artifact: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    named: str,
    mend: str,
) -> None:
    folder = tmp_path / "spoilt"
    shutil.copytree(artifact, folder)
    spoil(folder)
    told = refusal(folder)
    assert named in told
    assert mend in told


def test_a_network_that_this_torch_cannot_read_is_refused_too(artifact: Path, tmp_path: Path) -> None:
    folder = tmp_path / "spoilt"
    shutil.copytree(artifact, folder)
    with_a_network_that_this_torch_cannot_read(folder)
    done = docket_process("serve", folder, "--port", 0)
    told = one_sentence(done.stdout.decode(), done.stderr.decode())
    assert done.returncode == 2
    assert "model.pt" in told
    assert "train again" in told


@pytest.mark.parametrize("workers", [1, 2])
def test_a_refused_start_ends_its_process_with_2(tmp_path: Path, workers: int) -> None:
    done = docket_process("serve", tmp_path, "--port", 0, "--workers", workers)
    assert done.returncode == 2
    assert "docket train --out" in one_sentence(done.stdout.decode(), done.stderr.decode())


def test_several_workers_without_a_folder_for_temporary_files_are_refused_with_the_mend(
    refusal: Callable[..., str], artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert "TMPDIR" in refusal(artifact, "--workers", 2)


def test_a_path_too_long_for_a_socket_is_refused_with_the_mend(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    done = docket_process("serve", artifact, "--port", 0, "--workers", 2)
    assert done.returncode == 2
    assert "TMPDIR" in one_sentence(done.stdout.decode(), done.stderr.decode())


def test_a_port_in_use_is_refused_with_its_number_and_the_mend(refusal: Callable[..., str], artifact: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refusal(artifact, "--port", port)
    assert f"port {port}" in told
    assert "--port" in told.partition(":")[2]


def test_an_address_that_is_not_ours_is_refused(refusal: Callable[..., str], artifact: Path) -> None:
    assert "--host" in refusal(artifact, "--host", "no.such.host.invalid", "--port", 0)


def test_an_unknown_setting_is_refused_with_its_name_and_those_there_are(
    refusal: Callable[..., str], artifact: Path
) -> None:
    told = refusal(artifact, wrokers=2)
    assert "DOCKET_WROKERS" in told
    assert "DOCKET_WORKERS" in told


def test_an_invalid_setting_is_refused_with_its_name_and_value(refusal: Callable[..., str], artifact: Path) -> None:
    assert "DOCKET_MAX_BODY=16MiB" in refusal(artifact, max_body="16MiB")


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_a_gpu_that_is_not_there_is_refused_with_the_mend(refusal: Callable[..., str], artifact: Path) -> None:
    told = refusal(artifact, device="cuda")
    assert "cuda" in told
    assert "say auto or cpu" in told


@pytest.mark.parametrize("options", [["--workers", "0"], ["--port", "http"], ["--port", "70000"], ["--prot", "1"]])
def test_an_option_that_cannot_be_is_refused_in_one_sentence(
    refusal: Callable[..., str], artifact: Path, options: list[str]
) -> None:
    refusal(artifact, *options)


def test_an_address_of_the_sixth_protocol_is_served_and_written_in_brackets(artifact: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    with running_server(artifact, "--host", "::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert server.post("/predict", {"text": "the goal"}).status_code == 200


def test_the_environment_says_the_port_where_no_option_does(refusal: Callable[..., str], artifact: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port}" in refusal(artifact, port=port)


def caught(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    found = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return found is not None and bool(int(found[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sigterm_during_the_start_ends_a_first_process_of_a_container(artifact: Path, workers: int) -> None:
    """Such a process ignores each signal that it has no handler for; coverage would install one of its own."""
    plain = {name: value for name, value in docket_environment({}).items() if not name.startswith("COVERAGE")}
    with subprocess.Popen(
        [sys.executable, "-m", "docket", "serve", str(artifact), "--port", "0", "--workers", str(workers)],
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
        env=plain,
    ) as process:
        wait_until(lambda: caught(process.pid, signal.SIGTERM))
        process.terminate()
        try:
            assert process.wait(WAIT_SECONDS) == 0
        finally:
            process.kill()


def test_workers_whose_metrics_have_no_room_are_refused_with_the_mend(artifact: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docket", "serve", str(artifact), "--port", "0", "--workers", "2"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
        env={name: value for name, value in docket_environment({}).items() if not name.startswith("COVERAGE")},
        capture_output=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert done.returncode == 2
    assert "TMPDIR" in one_sentence(done.stdout.decode(), done.stderr.decode())
