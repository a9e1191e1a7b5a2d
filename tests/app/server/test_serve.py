"""The start of ``docket serve``: a service that cannot be served is refused in one sentence with exit code 2."""

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
from tests.support.service import WAIT_SECONDS, docket_environment, run_docket, running_server, wait_until


def truncate_network(folder: Path) -> None:
    network = folder / artifacts.NETWORK_FILE
    os.truncate(network, network.stat().st_size // 2)


def change_format(folder: Path) -> None:
    manifest = json.loads((folder / artifacts.MANIFEST_FILE).read_text())
    (folder / artifacts.MANIFEST_FILE).write_text(json.dumps(manifest | {"format": 99}))


def write_network_of_later_torch(folder: Path) -> None:
    """Write a network with valid hashes that torch cannot read."""
    (folder / artifacts.NETWORK_FILE).write_bytes(b"from the future")
    manifest = json.loads((folder / artifacts.MANIFEST_FILE).read_text())
    manifest["sha256"][artifacts.NETWORK_FILE] = hashlib.sha256(b"from the future").hexdigest()
    signed = json.dumps([manifest["sha256"], manifest["calibration"]], sort_keys=True)
    manifest["version"] = hashlib.sha256(signed.encode()).hexdigest()[:12]
    (folder / artifacts.MANIFEST_FILE).write_text(json.dumps(manifest))


def check_refusal(out: str, err: str) -> str:
    assert out == ""
    assert re.fullmatch(r"docket: .+\n", err)
    return err


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """Run ``docket serve`` in this process and return its sentence. Its port is in use, so that it never serves."""
    with socket.create_server(("127.0.0.1", 0)) as blocker:

        def refuse(*arguments: object, **settings: object) -> str:
            monkeypatch.setattr(os, "environ", docket_environment(settings))
            port = [] if "--port" in arguments or "port" in settings else ["--port", str(blocker.getsockname()[1])]
            code: object = None
            try:
                code = docket.main(["serve", *map(str, arguments), *port])
            except SystemExit as exit_:
                code = exit_.code
            assert code == 2
            return check_refusal(*capsys.readouterr())

        yield refuse


@pytest.mark.parametrize(
    ("damage", "parts"),
    [
        (shutil.rmtree, ["is no artifact", "docket train --out"]),
        (lambda folder: (folder / "manifest.json").unlink(), ["manifest.json", "docket train --out"]),
        (lambda folder: (folder / "model.pt").unlink(), ["model.pt", "copy the folder whole"]),
        (truncate_network, ["model.pt", "copy the folder whole"]),
        (change_format, ["format 99", "train again"]),
        (write_network_of_later_torch, ["model.pt", "train again"]),
    ],
)
def test_a_damaged_artifact_is_refused_with_the_reason_and_advice(
    refuse: Callable[..., str], artifact: Path, tmp_path: Path, damage: Callable[[Path], None], parts: list[str]
) -> None:
    folder = shutil.copytree(artifact, tmp_path / "damaged")
    damage(folder)
    sentence = refuse(folder)
    assert all(part in sentence for part in parts)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_refused_start_exits_with_2(tmp_path: Path, workers: int) -> None:
    result = run_docket("serve", tmp_path, "--port", 0, "--workers", workers)
    assert result.returncode == 2
    assert "docket train --out" in check_refusal(result.stdout.decode(), result.stderr.decode())


def test_several_workers_without_a_temporary_folder_are_refused(
    refuse: Callable[..., str], artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert "TMPDIR" in refuse(artifact, "--workers", 2)


def test_workers_without_room_for_their_metrics_are_refused(refuse: Callable[..., str], artifact: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        sentence = refuse(artifact, "--workers", 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "TMPDIR" in sentence


def test_a_port_in_use_is_refused_with_its_number(refuse: Callable[..., str], artifact: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as blocker:
        port = blocker.getsockname()[1]
        for sentence in (refuse(artifact, "--port", port), refuse(artifact, port=port)):
            assert f"port {port}" in sentence
            assert "--port" in sentence.partition(":")[2]


def test_an_unknown_host_or_setting_is_refused(refuse: Callable[..., str], artifact: Path) -> None:
    assert "--host" in refuse(artifact, "--host", "no.such.host.invalid", "--port", 0)
    sentence = refuse(artifact, wrokers=2)
    assert "DOCKET_WROKERS" in sentence
    assert "DOCKET_WORKERS" in sentence


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_refused(refuse: Callable[..., str], artifact: Path) -> None:
    sentence = refuse(artifact, device="cuda")
    assert "cuda" in sentence
    assert "say auto or cpu" in sentence


@pytest.mark.parametrize("options", [["--workers", "0"], ["--port", "http"], ["--port", "70000"], ["--prot", "1"]])
def test_an_invalid_option_is_refused_in_one_sentence(
    refuse: Callable[..., str], artifact: Path, options: list[str]
) -> None:
    refuse(artifact, *options)


def test_an_ipv6_address_is_served_and_written_in_brackets(artifact: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with running_server(artifact, "--host", "::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert server.post("/predict", {"text": "the goal"}).status_code == 200


def has_handler(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    match = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return match is not None and bool(int(match[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_during_the_start_ends_the_first_process_of_a_container(artifact: Path, workers: int) -> None:
    """That process ignores a signal without a handler. coverage would install a handler."""
    environment = {name: value for name, value in docket_environment({}).items() if not name.startswith("COVERAGE")}
    with subprocess.Popen(
        [sys.executable, "-m", "docket", "serve", str(artifact), "--port", "0", "--workers", str(workers)],
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
        env=environment,
    ) as process:
        wait_until(lambda: has_handler(process.pid, signal.SIGTERM))
        process.terminate()
        try:
            assert process.wait(WAIT_SECONDS) == 0
        finally:
            process.kill()
