from pathlib import Path

import pytest

from tests.support import tiny


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.artifact(tmp_path_factory.mktemp("artifact"))
