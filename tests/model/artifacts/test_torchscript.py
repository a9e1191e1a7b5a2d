import io
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from model.artifacts import torchscript
from model.errors import UsageError
from tests.support import tiny

CPU = torch.device("cpu")
TOKENS, STARTS = torch.tensor([1, 2, 3, 4, 5]), torch.tensor([0, 3])


def test_equal_weights_give_equal_bytes():
    network, twin = tiny.network(seed=1), tiny.network(seed=2)
    twin.load_state_dict(network.state_dict())
    network.train()(TOKENS, STARTS).sum().backward()
    assert torchscript.to_bytes(network) == torchscript.to_bytes(network) == torchscript.to_bytes(twin.eval())
    assert torchscript.to_bytes(network) != torchscript.to_bytes(tiny.network(seed=2))


@pytest.mark.parametrize("options", [{}, {"layers": 2, "bidirectional": False, "window": 0, "pooling": "last"}])
def test_a_loaded_network_has_the_same_logits_and_saving_changes_no_weight(options):
    network = tiny.network(**options)
    with torch.no_grad():
        network.bias += 0.5
    before = {name: value.clone() for name, value in network.state_dict().items()}
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
    ids=["nothing", "text", "a zip that is none", "cut short", "a pickle"],
)
def test_data_that_is_no_torchscript_is_refused(make):
    with pytest.raises(UsageError, match=r"model\.pt is no TorchScript .*: train again"):
        torchscript.from_bytes(make(), CPU)


def test_deprecation_warnings_of_torchscript_are_hidden():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torchscript.from_bytes(torchscript.to_bytes(tiny.network()), CPU)
    assert caught == []


def test_the_bytes_do_not_depend_on_the_process_and_the_path_of_the_code(tmp_path):
    """A version identifies a network, whatever machine has written it."""
    root = Path(torchscript.__file__).parents[2]
    shutil.copytree(root / "model", tmp_path / "elsewhere" / "model")
    script = "import hashlib, torch; from model.artifacts import torchscript; torch.manual_seed(0);"
    script += "from model.network.tanh_rnn import TanhRNN;"
    script += "n = TanhRNN(9, 3, hidden=4, layers=2); print(hashlib.sha256(torchscript.to_bytes(n)).hexdigest())"
    hashes = {
        subprocess.check_output(
            [sys.executable, "-c", script], cwd=place, text=True, env=os.environ | {"PYTHONHASHSEED": seed}
        )
        for place, seed in ((root, "1"), (tmp_path / "elsewhere", "2"), (tmp_path / "elsewhere", "3"))
    }
    assert len(hashes) == 1
