"""What the container files say of each other and of the program."""

import re
from pathlib import Path

from app.settings import PREFIX, Settings

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def test_training_writes_where_the_service_reads():
    (written,) = re.findall(r'CMD \["train", .*"--out", "([^"]+)"\]', DOCKERFILE)
    (read,) = re.findall(r'CMD \["serve", "([^"]+)"\]', DOCKERFILE)
    assert written == read
    mounts = re.findall(r"\bartifacts:(/[\w:/]+)", COMPOSE)
    assert mounts == [str(Path(read).parent), f"{Path(read).parent}:ro"]


def test_the_service_runs_as_a_user_without_rights_and_is_not_started_by_a_shell():
    assert re.search(r"^USER [1-9]\d*$", DOCKERFILE, re.MULTILINE)
    assert all(
        line.split(maxsplit=1)[1].startswith("[")
        for line in re.findall(r"^(?:CMD|ENTRYPOINT) .*", DOCKERFILE, re.MULTILINE)
    )


def test_the_last_image_is_the_service_and_checks_its_own_health():
    last = DOCKERFILE[DOCKERFILE.rindex("FROM ") :]
    assert " AS service" in last
    assert "HEALTHCHECK" in last
    assert "curl" not in last


def test_the_image_takes_only_what_it_needs():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert ignored[0] == "*"
    assert {"!app", "!model", "!training", "!docket.py", "!requirements.lock"} <= set(ignored)


def test_every_setting_that_the_container_files_name_exists():
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert set(re.findall(r"\bDOCKET_[A-Z_]+\b", DOCKERFILE + COMPOSE)) <= known
