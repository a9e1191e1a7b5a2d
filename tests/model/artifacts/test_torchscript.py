"""The file of a network: equal bytes for equal weights, and no code with access to files or libraries."""

import io
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from model.artifacts import torchscript
from model.errors import UsageError
from tests.support import tiny

CPU = torch.device("cpu")
TOKENS, STARTS = torch.tensor([1, 2, 3, 4, 5]), torch.tensor([0, 3])
NETWORKS: dict[str, dict[str, Any]] = {
    "words alone": {},
    "n-grams": {"words": 20, "ngrams": 3},
    "two layers, one direction": {"layers": 2, "bidirectional": False},
    "word pairs": {"bigrams": torch.tensor([3, 9])},
    "the last state": {"window": 0, "pooling": "last"},
    "the mean": {"pooling": "mean"},
}


def test_equal_weights_give_equal_bytes() -> None:
    network, twin = tiny.network(seed=1), tiny.network(seed=2)
    twin.load_state_dict(network.state_dict())
    network.train()(TOKENS, STARTS).sum().backward()
    assert torchscript.to_bytes(network) == torchscript.to_bytes(network) == torchscript.to_bytes(twin.eval())
    assert torchscript.to_bytes(network) != torchscript.to_bytes(tiny.network(seed=2))


@pytest.mark.parametrize("options", NETWORKS.values(), ids=NETWORKS)
def test_a_loaded_network_has_the_same_logits_and_saving_changes_no_weight(options: dict[str, Any]) -> None:
    network = tiny.network(**options)
    with torch.no_grad():
        network.bias.add_(0.5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # those about the age of TorchScript are hidden
        loaded = torchscript.from_bytes(torchscript.to_bytes(network), CPU)
    torch.testing.assert_close(loaded(TOKENS, STARTS), network.eval()(TOKENS, STARTS))
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def truncated() -> bytes:
    return torchscript.to_bytes(tiny.network())[:-500]


def pickled() -> bytes:
    buffer = io.BytesIO()
    torch.save({"weights": torch.ones(2)}, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "make",
    [lambda: b"", lambda: b"model", lambda: b"PK\x03\x04" + bytes(100), truncated, pickled],
    ids=["nothing", "text", "a broken zip", "cut short", "a pickle"],
)
def test_data_that_is_no_torchscript_is_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(UsageError, match=r"model\.pt is no TorchScript .*: train again"):
        torchscript.from_bytes(make(), CPU)


def test_the_bytes_do_not_depend_on_the_process_and_the_path_of_the_code(tmp_path: Path) -> None:
    """A version identifies a network, whatever machine has written it."""
    root = Path(torchscript.__file__).parents[2]
    shutil.copytree(root / "model", tmp_path / "elsewhere" / "model")
    script = "import hashlib, torch; from model.artifacts import torchscript; torch.manual_seed(0);"
    script += "from model.network.tanh_rnn import TanhRNN;"
    script += "n = TanhRNN(9, 3, hidden=4, layers=2); print(hashlib.sha256(torchscript.to_bytes(n)).hexdigest())"
    hashes = {
        subprocess.check_output(
            [sys.executable, "-c", script], cwd=folder, text=True, env=os.environ | {"PYTHONHASHSEED": seed}
        )
        for folder, seed in ((root, "1"), (tmp_path / "elsewhere", "2"))
    }
    assert len(hashes) == 1


def with_line(line: str) -> bytes:
    """An archive with one more line of code at the beginning of ``forward``."""
    archive = torchscript.to_bytes(tiny.network())
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("model/network/inference_network.py"):
                begin = content.index(b"    _0 = ")
                content = content[:begin] + f"    {line}\n".encode() + content[begin:]
            target.writestr(zipfile.ZipInfo(name), content)
    return changed.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        'data = torch.from_file("/etc/passwd", True, 10)',
        'data = torch . from_file("/etc/passwd", True, 10)',
        'data = "/etc/passwd".from_file(True, 10)',
        'torch.save(ids, "/tmp/written")',
        'data = ops.aten.from_file("/etc/passwd", True, 10)',
        "data = __torch__.torch.classes.some.Library()",
        "data = ops.library.run(ids)",
    ],
)
def test_code_with_access_to_a_file_or_a_library_is_refused(line: str) -> None:
    torchscript.from_bytes(with_line("harmless = torch.zeros([1])"), CPU)
    with pytest.raises(UsageError, match="which no network of ours does: do not use this artifact, train again"):
        torchscript.from_bytes(with_line(line), CPU)


def test_an_archive_with_two_files_of_one_name_is_refused() -> None:
    archive = io.BytesIO(torchscript.to_bytes(tiny.network()))
    with zipfile.ZipFile(archive, "a") as files, pytest.warns(UserWarning, match="Duplicate"):
        files.writestr(files.namelist()[0], b"")
    with pytest.raises(UsageError, match="two files of one name"):
        torchscript.from_bytes(archive.getvalue(), CPU)
