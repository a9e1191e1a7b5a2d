"""The table of cases that the reader of ``docket predict`` follows, read by the page."""

import base64
import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
CASES = Path(__file__).parent.parent / "data" / "cases"
TABLE = json.loads((CASES / "expected.json").read_text(encoding="utf-8"))
OURS = [
    case
    for case in TABLE
    if ("texts" in case or "texts_refused" in case) and not case["file"].endswith(".txt")  # to the page, a document
]
READ = """async ([name, content, how]) => {
  const { openTable } = await import("/page/table.js");
  const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
  try {
    const rows = [...(await openTable(new File([bytes], name), how)).rows()];
    return rows.map(({ text, error, line }) => [text, error ?? null, line({ label: "L", score: 0.5, error })]);
  } catch (error) {
    return error.message;
  }
}"""


@pytest.fixture(scope="module")
def reader(browser, server):
    """What the page makes of a case: its rows as text, error and what is written back, or a sentence."""
    page = browser.new_page()
    page.goto(server.url)

    def read(case):
        given = case.get("options", {})
        names = {"text_fields": "fields", "encoding": "encoding", "header": "header"}
        how = {names[name]: value for name, value in given.items() if name in names}
        return page.evaluate(READ, [case["file"], base64.b64encode((CASES / case["file"]).read_bytes()).decode(), how])

    yield read
    page.close()


@pytest.mark.parametrize("case", OURS, ids=lambda case: case["case"])
def test_the_page_reads_what_the_table_says(reader, case):
    read = reader(case)
    if "texts_refused" in case:  # the page refuses a row where it can, and not the file
        assert isinstance(read, str) or any(error for _, error, _ in read)
        return
    assert [None if error else text for text, error, _ in read] == case["texts"]
    assert all("L" in line or error in line.replace('""', '"') for _, error, line in read)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("workbook.csv", "workbook.csv is a workbook or another archive"),
        ("pdf.csv", "pdf.csv is a PDF"),
        ("cp1252.csv", "cp1252.csv, line 2: a byte is not UTF-8: choose the encoding"),
        ("capitals.csv", "capitals.csv has no column 'text' among 'Text', 'Label': say 'Text'"),
    ],
)
def test_a_file_that_the_page_cannot_read_is_refused_with_the_mend(reader, file, sentence):
    assert reader({"file": file}).startswith(sentence)


def test_a_text_that_swallows_rows_is_an_error_in_its_place_and_the_rows_are_read(reader):
    read = reader({"file": "swallowed.csv"})
    assert [bool(error) for _, error, _ in read] == [False, True, False, False, False, False]
