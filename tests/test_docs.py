"""The examples of the documentation run, its links lead to files and headings, and its tables are complete."""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from app.api.problems import STATUS
from app.settings import PREFIX, Settings
from model.artifacts import artifact as artifacts
from model.artifacts import registry
from model.artifacts.data_profile import DataProfile
from model.classifier import Classifier
from model.prediction import Prediction
from tests.support import tiny
from tests.support.doc_examples import CLIENTS_PYTHON, FOREIGN_CLIENT, ROOT, run_examples
from tests.support.service import Server, running_server
from training.data.documents import Documents
from training.evaluation.scores import evaluate
from training.recipe import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATHS = [*map(ROOT.joinpath, ("README.md", "CONTRIBUTING.md", "client/README.md")), *(ROOT / "docs").rglob("*.md")]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PATHS}
TICKETS = "text,label\nThe printer is on fire.,printers\nMy screen is black.,screens\n"


@pytest.fixture(scope="module")
def reader_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages assume: artifacts, versions, and files of documents."""
    folder = tmp_path_factory.mktemp("reader")
    demo = tiny.artifact(folder / "artifacts" / "demo", profile=tiny.PROFILE)
    predictions = [Prediction([("printers", 0.9)], 3, 0), Prediction([("screens", 0.8)], 5, 1)]
    profile = DataProfile.from_predictions([3, 5], ["printers", "screens"], predictions)
    tiny.artifact(folder / "artifacts" / "tickets", labels=("printers", "screens"), profile=profile)
    for seed, name in enumerate(("2026-07", "2026-08")):
        tiny.add_golden(tiny.artifact(folder / "versions" / name, seed=seed))
    registry.write_pointer(folder / "versions", "2026-07")
    texts = ["The late goal won the cup.", "The minister said the vote is for the law."] * 2
    scores, _ = evaluate(Classifier.load(demo, "cpu"), Documents(texts, ["sports", "politics", "politics", "sports"]))
    facts = {
        "scores": scores.as_json(),
        "corpus": {"name": "bbc-news", "documents": 4, "fingerprint": "0"},
        "recipe": asdict(DEFAULT),
        "versions": {"python": "3", "docket": "0", "torch": "2"},
    }
    artifacts.update_manifest(demo, facts)
    for name in ("tickets.csv", "more-tickets.csv"):
        (folder / name).write_text(TICKETS, encoding="utf-8")
    (folder / "new.jsonl").write_text('{"text": "The printer is on fire."}\n', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server(reader_folder: Path) -> Iterator[Server]:
    with running_server(reader_folder / "artifacts" / "demo", protocols="all") as running:
        yield running


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples call curl")
@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if "\n```" in text])
def test_the_examples_of_a_page_run(
    page: str, server: Server, reader_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reader_folder)
    run_examples(ROOT / page, server)


@pytest.mark.slow
@pytest.mark.skipif(not CLIENTS_PYTHON.exists(), reason="the clients have their own environment: make clients")
@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if FOREIGN_CLIENT.search(text)])
def test_the_examples_of_foreign_clients_run(page: str, server: Server) -> None:
    run_examples(ROOT / page, server, foreign_clients=True)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    for target in re.findall(r"\]\((?!http)([^)\s]+)\)", PAGES[page]):
        file, _, heading = target.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.exists(), f"{page}: {target}"
        headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE) if heading else []
        slugs = {re.sub(r"[^\w\- ]", "", text).lower().replace(" ", "-") for text in headings}
        assert not heading or heading in slugs, f"{page}: {target}"


def test_the_table_of_settings_is_complete() -> None:
    documented = {name: cells for name, *cells in table_rows("README.md", "| setting | default | what |")}
    assert documented == {
        PREFIX + name.upper(): [as_text(field.default), field.description]
        for name, field in Settings.model_fields.items()
    }


def test_the_table_of_statuses_is_complete() -> None:
    documented = {int(code) for code, *_ in table_rows("docs/api.md", "| status | when |") if code.isdigit()}
    assert documented == {*map(int, STATUS.values()), int(HTTPStatus.NOT_FOUND), int(HTTPStatus.METHOD_NOT_ALLOWED)}


def table_rows(page: str, header: str) -> list[list[str]]:
    """The cells of all tables below ``header``, without backticks."""
    tables = [text.split("\n\n", 1)[0].strip().splitlines()[1:] for text in PAGES[page].split(header)[1:]]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for table in tables for row in table]


def as_text(default: object) -> str:
    """A default as a variable has it, or a dash where no variable can."""
    return "–" if default is None else str(default).lower() if isinstance(default, bool) else str(default)  # noqa: RUF001
