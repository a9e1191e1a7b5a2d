"""The page reads the table of cases that the reader of ``docket predict`` follows."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.service import Server

pytestmark = pytest.mark.slow

CASES = Path(__file__).parent.parent / "data" / "cases"
TABLE = json.loads((CASES / "expected.json").read_text(encoding="utf-8"))
ROW_FILES = [
    case
    for case in TABLE
    if ("texts" in case or "texts_refused" in case) and not case["file"].endswith(".txt")  # to the page, a document
]
OPTION_NAMES = {"text_fields": "fields", "encoding": "encoding", "header": "header"}
READ = """async ([name, content, options]) => {
  const { openTable } = await import("/page/table.js");
  const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
  try {
    const rows = [...(await openTable(new File([bytes], name), options)).rows()];
    return rows.map(({ text, error, line }) => [text, error ?? null, line({ label: "L", score: 0.5, error })]);
  } catch (error) {
    return error.message;
  }
}"""


@pytest.fixture(scope="module")
def read(browser: Any, server: Server) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """Return the rows of a case as text, error and line of the download, or the sentence that refuses the file."""
    page = browser.new_page()
    page.goto(server.url)

    def read_case(case: dict[str, Any]) -> Any:
        content = base64.b64encode((CASES / case["file"]).read_bytes()).decode()
        options = case.get("options", {}).items()
        options = {OPTION_NAMES[name]: value for name, value in options if name in OPTION_NAMES}
        return page.evaluate(READ, [case["file"], content, options])

    yield read_case
    page.close()


@pytest.mark.parametrize("case", ROW_FILES, ids=lambda case: case["case"])
def test_the_page_reads_the_texts_of_the_table_and_gives_its_reasons(
    read: Callable[[dict[str, Any]], Any], case: dict[str, Any]
) -> None:
    found = read(case)
    if "texts_refused" in case:  # the page refuses the row alone where it can; the command line refuses the file
        reason = case.get("page_refuses", re.sub(r"^line \d+: ", "", case["texts_refused"]))
        errors = [found] if isinstance(found, str) else [error for _, error, _ in found if error]
        assert any(reason in error for error in errors), errors
        return
    assert [None if error else text for text, error, _ in found] == case["texts"]
    assert all("L" in line or error in line.replace('""', '"') for _, error, line in found)


def test_a_text_that_swallows_rows_is_an_error_in_its_place_and_the_rows_are_read(
    read: Callable[[dict[str, Any]], Any],
) -> None:
    found = read({"file": "swallowed.csv"})
    assert [bool(error) for _, error, _ in found] == [False, True, False, False, False, False]
