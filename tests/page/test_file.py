"""A file of rows: each scored and back in its place, whatever is wrong with another."""

import csv
import io
import json

import pytest

from tests.page.conftest import MARKUP
from tests.support.service import wait_until

pytestmark = pytest.mark.slow
ROWS = [
    ["1", 'she said "goal", and\nwon', "-5"],
    ["2", "   ", ""],
    ["3", "the minister said; a law", "=1+1"],
    ["4", "the cup 🎉", "ü"],
]


def written(rows, **options):
    file = io.StringIO()
    csv.writer(file, **{"lineterminator": "\n"} | options).writerows(rows)
    return file.getvalue()


def read(text, **options):
    return list(csv.reader(io.StringIO(text, newline=""), strict=True, **options))


@pytest.mark.parametrize(
    ("name", "options", "mark"),
    [
        ("a.csv", {}, ""),
        ("a.csv", {"lineterminator": "\r\n", "quoting": csv.QUOTE_ALL}, "\ufeff"),
        ("a.csv", {"delimiter": ";"}, ""),
        ("a.csv", {"delimiter": "\t"}, ""),
        ("a.csv", {"delimiter": "|"}, ""),
    ],
)
def test_a_csv_comes_back_with_its_own_cells_and_what_the_service_said(page, scored, client, name, options, mark):
    content = mark + written([["id", "text", "note"], *ROWS], **options)
    back = scored(page, name, content)
    assert back.startswith(mark + content.removeprefix(mark).splitlines()[0])
    delimiter = options.get("delimiter", ",")
    head, *rows = read(back.removeprefix(mark), delimiter=delimiter)
    assert head == ["id", "text", "note", "label", "score", "error"]
    assert [row[:3] for row in rows] == ROWS
    for _, text, _, label, score, error in rows:
        (said,) = client.post("/predict/batch", json={"documents": [{"text": text}]}).json()["results"]
        if "error" in said:
            assert (label, score, error) == ("", "", said["error"])
        else:
            assert (label.removeprefix("'"), float(score), error) == (said["label"], pytest.approx(said["score"]), "")


BROKEN = (
    'id,text,label\n1,the goal,a\n2,"never closed,b\n3,the law,c\n4\n5,"a ""vote""\nsaid",d\n'
    '6,the,cup,e\n7,"a"b,f\n\n8,late,g\n9,"open at the end,h'
)


def test_a_broken_row_is_reported_in_its_place_and_loses_no_other(page, scored):
    head, *rows = read(scored(page, "broken.csv", BROKEN))
    assert head == ["id", "text", "label", "docket_label", "score", "error"]
    assert all(len(row) == 6 for row in rows)
    assert [row[0] for row in rows if row[4]] == ["1", "3", "5", "8"]
    assert rows[4][:3] == ["5", 'a "vote"\nsaid', "d"]
    assert [(at, row[5]) for at, row in enumerate(rows) if row[5]] == [
        (1, "a quote in the row is not closed, or not doubled within a cell"),
        (3, "the row has 1 cell, and the first line 3"),
        (5, "the row has 4 cells, and the first line 3"),
        (6, "a quote in the row is not closed, or not doubled within a cell"),
        (8, "a quote in the row is not closed, or not doubled within a cell"),
    ]
    assert rows[1][0] == '2,"never closed,b'
    assert rows[5][:3] == ["6", "the", "cup,e"]
    assert page.locator(".broken li").count() == 5
    assert "4 rows scored, 5 broken" in page.text_content("#job")


def test_no_added_cell_is_a_formula_and_numbers_stay_numbers(page, scored):
    page.route("**/predict/batch", lambda route: route.fulfill(json={"results": said}))
    said = [{"label": label, "score": 0.5} for label in (MARKUP, "-1", "+1", "@SUM(A1)", "-x")]
    _, *rows = read(scored(page, "a.csv", "text\n" + "goal\n" * 5))
    assert [row[1] for row in rows] == [f"'{MARKUP}", "-1", "+1", "'@SUM(A1)", "'-x"]


LINES = [
    '{"id": 12345678901234567890, "text": "the goal", "x": 1.0}',
    "this is no JSON",
    '["text"]',
    "",
    '{"id": 2, "text": ["5"]}',
    '{"text": "  "}',
    '{ "text": "a \\"label\\" 🎉 vote" }  ',
    "{}",
]


def test_jsonl_comes_back_line_by_line_with_each_character_of_its_own(page, scored, client):
    back = scored(page, "a.jsonl", "\ufeff" + "\r\n".join(LINES)).splitlines()
    assert len(back) == 7
    assert back[0].startswith(LINES[0][:-1])
    first, no_json, no_object, no_text, blank, last, empty = map(json.loads, back)
    (said,) = client.post("/predict/batch", json={"documents": [{"text": "the goal"}]}).json()["results"]
    assert (first["label"], first["score"]) == (said["label"], pytest.approx(said["score"]))
    assert no_json == {"line": "this is no JSON", "error": "the line is no JSON"}
    assert no_object == {"line": '["text"]', "error": "the line is no JSON object"}
    assert no_text == {"id": 2, "text": ["5"], "error": "'text' is no text but a list: make it one text"}
    assert "blank" in blank["error"]
    assert "score" not in blank
    assert last["text"] == 'a "label" 🎉 vote'
    assert last["score"] > 0
    assert "error" in empty


def test_a_field_that_is_called_label_stays_what_it_is(page, scored):
    (row,) = map(json.loads, scored(page, "a.jsonl", '{"text": "goal", "label": "own"}').splitlines())
    assert row["label"] == "own"
    assert row["docket_label"]


def test_many_rows_are_scored_by_few_requests_at_a_time(page, scored):
    rows = read(scored(page, "many.csv", "id,text\n" + "".join(f"{n},the goal {n}\n" for n in range(3000))))
    assert [row[0] for row in rows[1:]] == [str(n) for n in range(3000)]
    assert all(row[2] and row[3] for row in rows[1:])
    spans = page.evaluate(
        "performance.getEntriesByName(new URL('predict/batch', location).href).map((e) => [e.startTime, e.responseEnd])"
    )
    assert len(spans) < 3000 / 50
    assert max(sum(begin <= at < end for begin, end in spans) for at, _ in spans) <= 4


def test_a_busy_service_is_asked_again_and_a_refused_request_is_halved(page, scored):
    busy = []

    def answer(route):
        body = route.request.post_data or ""
        if not busy:
            busy.append(route)
            return route.fulfill(status=429, headers={"retry-after": "1"}, json={"detail": "the queue is full"})
        if "large" in body:
            return route.fulfill(status=413, json={"detail": "the body is larger than 9 bytes"})
        return route.continue_()

    page.route("**/predict/batch", answer)
    texts = ["goal", "large", "vote", "law", "match"]
    _, *rows = read(scored(page, "a.csv", "text\n" + "\n".join(texts)))
    assert [row[0] for row in rows] == texts
    assert [row[3] for row in rows] == ["", "the body is larger than 9 bytes", "", "", ""]
    assert [bool(row[2]) for row in rows] == [True, False, True, True, True]


def test_a_job_can_be_cancelled_and_what_is_done_is_kept(page, tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("id,text\n" + "".join(f"{n},the goal won {n}\n" for n in range(200_000)))
    page.click("#tab-file")
    page.set_input_files("#pick", path)
    wait_until(lambda: page.evaluate("document.querySelector('progress')?.value > 10000"))
    page.click("text=Cancel")
    with page.expect_download() as download:
        page.click("a[download]")
    assert download.value.suggested_filename == "long.labelled.part.csv"
    _, *rows = read(download.value.path().read_text())
    assert 0 < len(rows) < 200_000
    assert [row[0] for row in rows] == [str(n) for n in range(len(rows))]
    assert "Cancelled after" in page.text_content("#job")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"id,body\n1,goal\n", "a.csv has no column 'text' among 'id', 'body'"),
        ("a.csv", b"text,text\n1,goal\n", "a.csv: several columns are called 'text'"),
        ("a.csv", ("x" * 90_000).encode(), f"a.csv has no column 'text' among '{'x' * 39}…': say"),
        ("a.csv", b" \r\n", "a.csv is empty"),
        ("a.csv", "text\nMünchen\n".encode("latin-1"), "a.csv, line 2: a byte is not UTF-8"),
        ("a.csv", "text\ngoal\n".encode("utf-16-le"), "a.csv has zero bytes"),
        ("a.xlsx", b"PK", "a.xlsx is no .csv, .tsv, .json or .jsonl"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_a_sentence(page, tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_bytes(content)
    page.click("#tab-file")
    page.set_input_files("#pick", path)
    page.wait_for_selector("#file-alert:not(:empty)")
    assert page.text_content("#file-alert").startswith(sentence)


def test_an_error_leaves_no_result_of_the_file_before(page, scored, tmp_path):
    scored(page, "good.csv", "text\nthe goal\n")
    assert page.locator("#job .found").count() == 1
    (tmp_path / "bad.csv").write_text("body\nthe goal\n")
    page.set_input_files("#pick", tmp_path / "bad.csv")
    page.wait_for_selector("#file-alert:not(:empty)")
    assert page.locator("#job > *").count() == 0


def test_the_form_says_which_encoding_and_which_columns_and_the_file_is_read_again(page, scored, tmp_path):
    path = tmp_path / "mails.csv"
    path.write_bytes("subject,body\nMünchen,the goal\n".encode("cp1252"))
    page.click("#tab-file")
    page.set_input_files("#pick", path)
    page.wait_for_selector("#file-alert:not(:empty)")
    page.select_option("#encoding", "windows-1252")
    page.fill("#field", "subject, body")
    page.press("#field", "Enter")
    page.wait_for_selector("a[download]")
    assert page.text_content("#job td.excerpt") == "München\nthe goal"


def test_quotes_that_break_row_after_row_are_read_in_time_that_grows_with_the_file(page):
    """Each row opens a quote: looking for its end to the end of the file, row after row, would take minutes."""
    rows = page.evaluate(
        """async () => {
          const { Csv } = await import("/page/csv.js");
          const csv = new Csv("text\\n" + 'a,"b\\n'.repeat(300001), "a.csv", "csv", { fields: ["text"], header: true });
          return [...csv.rows()].filter((row) => row.error).length;
        }"""
    )
    assert rows == 300_001
