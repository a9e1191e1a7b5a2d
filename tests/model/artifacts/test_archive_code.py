import io
import zipfile

import pytest
import torch

from model.artifacts import torchscript
from model.errors import UsageError
from tests.support import tiny

CPU = torch.device("cpu")
NETWORKS = {
    "words alone": {},
    "n-grams": {"words": 20, "ngrams": 3},
    "two layers, one direction": {"layers": 2, "bidirectional": False},
    "word pairs": {"bigrams": torch.tensor([3, 9])},
    "the last state": {"pooling": "last"},
    "the mean": {"pooling": "mean"},
}


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


@pytest.mark.parametrize("options", NETWORKS.values(), ids=NETWORKS)
def test_every_kind_of_network_is_accepted(options):
    torchscript.from_bytes(torchscript.to_bytes(tiny.network(**options)), CPU)


def test_harmless_code_is_accepted():
    torchscript.from_bytes(with_line("harmless = torch.zeros([1])"), CPU)


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
def test_code_with_access_to_a_file_or_a_library_is_refused(line):
    with pytest.raises(UsageError, match="which no network of ours does: do not use this artifact, train again"):
        torchscript.from_bytes(with_line(line), CPU)


def test_an_archive_with_two_files_of_one_name_is_refused():
    archive = io.BytesIO(torchscript.to_bytes(tiny.network()))
    with zipfile.ZipFile(archive, "a") as files, pytest.warns(UserWarning, match="Duplicate"):
        files.writestr(files.namelist()[0], b"")
    with pytest.raises(UsageError, match="two files of one name"):
        torchscript.from_bytes(archive.getvalue(), CPU)
