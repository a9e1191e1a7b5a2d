from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import tiny
from tests.support.service import running_server


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The names of the metrics that the service shows after a prediction, each with the names of its labels."""
    folder: Path = tmp_path_factory.mktemp("artifact")
    with running_server(tiny.artifact(folder, profile=tiny.PROFILE)) as server:
        server.post("/predict", {"text": "the goal"})
        text = server.get("/metrics").text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found
