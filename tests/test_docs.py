"""What the pages show is so: every block is run, every link leads somewhere."""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from app.api.problems import STATUS
from model.artifacts import artifact as artifacts
from model.artifacts import registry
from model.artifacts.data_profile import DataProfile
from model.classifier import Classifier, Prediction
from tests.support import tiny
from tests.support.pages import PAGES, READ, ROOT, Block, Reader, alike, blocks
from tests.support.service import Server, running_server
from training.data.documents import Documents
from training.evaluation.scores import evaluate
from training.recipe import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}
TEXTS = ["The late goal won the cup.", "The minister said the vote is for the law."]
TICKETS = "text,label\nThe printer is on fire.,printers\nMy screen is black.,screens\n"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader of the pages has it: artifacts, versions, and files of documents."""
    folder = tmp_path_factory.mktemp("reader")
    demo = tiny.artifact(folder / "artifacts" / "demo", profile=tiny.PROFILE)
    seen = [Prediction([("printers", 0.9)], 3, 0), Prediction([("screens", 0.8)], 5, 1)]
    profile = DataProfile.of([3, 5], ["printers", "screens"], seen)
    tiny.artifact(folder / "artifacts" / "tickets", labels=("printers", "screens"), profile=profile)
    for seed, name in enumerate(("2026-07", "2026-08")):
        tiny.add_golden(tiny.artifact(folder / "versions" / name, seed=seed))
    registry.write_pointer(folder / "versions", "2026-07")
    right = ["sports", "politics"]
    scores, _ = evaluate(Classifier.load(demo, "cpu"), Documents(TEXTS * 2, right + right[::-1]))
    corpus = {"name": "bbc-news", "documents": 4, "fingerprint": "0"}
    facts = {
        "scores": scores.as_json(),
        "corpus": corpus,
        "recipe": asdict(DEFAULT),
        "versions": {"python": "3", "docket": "0", "torch": "2"},
    }
    artifacts.update_manifest(demo, facts)
    for name in ("tickets.csv", "more-tickets.csv"):
        (folder / name).write_text(TICKETS, encoding="utf-8")
    (folder / "new.jsonl").write_text('{"text": "The printer is on fire."}\n', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server(house: Path) -> Iterator[Server]:
    with running_server(house / "artifacts" / "demo", protocols="all") as running:
        yield running


@pytest.mark.parametrize("page", [name for name, text in TEXT.items() if blocks(text)])
def test_every_block_does_what_its_page_shows(page: str, server: Server, house: Path) -> None:
    reader = Reader(server, house)
    for block in blocks(TEXT[page]):
        try:
            reader.run(block)
        except Exception as error:
            raise AssertionError(f"{page}, line {block.line}: {error}") from error
    if reader.left_out:
        pytest.skip("; ".join(sorted(set(reader.left_out))))


def test_a_block_in_no_known_language_fails(server: Server, house: Path) -> None:
    for language in ("", "ruby"):
        with pytest.raises(AssertionError, match="nobody knows how to run"):
            Reader(server, house).run(Block(1, language, "", "text\n"))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("sh", "docket trian tickets.csv --out a\n"),
        ("sh", "DOCKET_WOKRERS=2 docket serve artifacts/demo\n"),
        ("sh", "make tset\n"),
        ("sh", "make bench-accuracy CORPSU=a.csv\n"),
        ("sh", "rm -rf artifacts\n"),
        ("console", '$ curl -s http://127.0.0.1:8000/health\n{"status":"ok"}\n'),
        ("console", '$ curl -s http://127.0.0.1:8000/nothing\n{"status":404,"detail":"gone"}\n'),
        ("console", "$ docket train few.csv --out a\ndocket: few.csv is too short\n"),
        ("promql", "rate(docket_no_such_total[1m])\n"),
        ("json", "{\n"),
        ("python", ">>> 1 + 1\n3\n"),
    ],
)
def test_a_block_that_shows_what_is_not_so_fails(language: str, text: str, server: Server, house: Path) -> None:
    if "curl" in text and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (house / "few.csv").write_text("text,label\na,b\nc,d\n", encoding="utf-8")
    with pytest.raises((Exception, SystemExit)):
        Reader(server, house).run(Block(1, language, "", text))


def test_answers_are_alike_whatever_their_labels_and_numbers() -> None:
    assert alike({"scores": [{"label": "a", "score": 0.5}]}, {"scores": [{"label": "b", "score": 1}]})
    assert not alike({"scores": [{"label": "a"}]}, {"scores": [{"name": "a"}]})
    assert not alike({"label": None}, {"label": "a"})
    assert not alike({"status": 404, "detail": "a"}, {"status": 404, "detail": "b"})


def test_every_way_to_run_a_block_is_used_or_is_a_plain_file() -> None:
    used = {block.language for text in TEXT.values() for block in blocks(text)}
    assert used <= READ.keys()
    assert READ.keys() - used <= {"yaml"}


@pytest.mark.parametrize("page", TEXT)
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXT[page]):
        if target.startswith("http"):
            continue
        file, _, heading = target.partition("#")
        path = (PAGES[page].parent / file).resolve() if file else PAGES[page]
        assert path.exists(), f"{page}: {target}"
        if heading:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", each).lower().replace(" ", "-") for each in headings}
            assert heading in slugs, f"{page}: {target}"


def test_every_page_is_linked_from_the_readme_or_the_index_of_decisions() -> None:
    linked = set(re.findall(r"\]\(([^)#]+)", TEXT["README.md"])) | {
        f"docs/decisions/{page}" for page in re.findall(r"\]\(([^)#]+)", TEXT["docs/decisions/README.md"])
    }
    assert linked >= PAGES.keys() - {"README.md"}, "link a new page from the README's last table"


@pytest.mark.parametrize("page", TEXT)
def test_every_make_target_and_setting_that_is_named_is_there(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    settings = set(re.findall(r"`(DOCKET_[A-Z_]+)", TEXT["README.md"]))
    for target in re.findall(r"`make ([a-z][a-z-]*)", TEXT[page]):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert set(re.findall(r"\bDOCKET_[A-Z_]+\b", TEXT[page])) <= settings


def test_the_api_page_has_every_status() -> None:
    table = TEXT["docs/api.md"].split("| status | when |", 1)[1].split("\n\n", 1)[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == {
        *map(int, STATUS.values()), int(HTTPStatus.NOT_FOUND), int(HTTPStatus.METHOD_NOT_ALLOWED)
    }  # fmt: skip
