"""A folder of two versions for tests that swap them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from model.artifacts import registry
from training.data import corpora

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
DEMO, SECOND = ROOT / "artifacts" / "demo", ROOT / "artifacts" / "second"
NAMES = ("one", "two")


@contextmanager
def twins() -> Iterator[Path]:
    """Yield a folder of two versions, the first one current. Train the second if it does not exist."""
    if not SECOND.exists():
        command = [sys.executable, "-m", "docket", "train", corpora.DEFAULT_CORPUS, "--seed", "1", "--epochs", "1"]
        subprocess.run([*command, "--out", SECOND], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory(prefix="twins-") as name:
        folder = Path(name)
        for link, artifact in zip(NAMES, (DEMO, SECOND), strict=True):
            (folder / link).symlink_to(artifact)
        registry.write_pointer(folder, NAMES[0])
        yield folder
