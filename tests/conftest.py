import hypothesis  # noqa: F401  # its plugin would import it after the last test, where Python 3.11 can fail (CPython 106905)
import pytest

from model import device


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Two threads of torch beside another busy process spin against each other, as ``training.job`` says."""
    device.use_threads(1)
