"""A file of rows: each row is scored and returned in its place, also beside broken rows."""

import csv
import io
import json
from typing import Any

import httpx
import pytest

from tests.page.conftest import MARKUP, choose_file, score_file
from tests.support.service import wait_until

pytestmark = pytest.mark.slow

ROWS = [
    ["1", 'she said "goal", and\nwon', "-5"],
    ["2", "   ", ""],
    ["3", "the minister said; a law", "=1+1"],
    ["4", "the cup 🎉", "ü"],
]
JSON_ADVICE = "write one object a line, with its text in the field 'text'"


def read(text: str, **options: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True, **options))


@pytest.mark.parametrize(
    ("options", "mark"),
    [
        ({}, ""),
        ({"lineterminator": "\r\n", "quoting": csv.QUOTE_ALL}, "\ufeff"),
        ({"delimiter": ";"}, ""),
        ({"delimiter": "\t"}, ""),
        ({"delimiter": "|"}, ""),
    ],
)
def test_a_csv_is_returned_with_its_cells_and_the_answers_of_the_service(
    page: Any, client: httpx.Client, options: dict[str, Any], mark: str
) -> None:
    file = io.StringIO()
    csv.writer(file, **{"lineterminator": "\n"} | options).writerows([["id", "text", "note"], *ROWS])
    content = file.getvalue()
    download = score_file(page, "a.csv", mark + content)
    assert download.startswith(mark + content.splitlines()[0])
    names, *rows = read(download.removeprefix(mark), delimiter=options.get("delimiter", ","))
    assert names == ["id", "text", "note", "label", "score", "error"]
    assert [row[:3] for row in rows] == ROWS
    documents = [{"text": row[1]} for row in rows]
    results = client.post("/predict/batch", json={"documents": documents}).json()["results"]
    for (*_, label, score, error), result in zip(rows, results, strict=True):
        if "error" in result:
            assert (label, score, error) == ("", "", result["error"])
        else:
            assert (label.removeprefix("'"), error) == (result["label"], "")
            assert float(score) == pytest.approx(result["score"])


BROKEN = (
    'id,text,label\n1,the goal,a\n2,"never closed,b\n3,the law,c\n4\n5,"a ""vote""\nsaid",d\n'
    '6,the,cup,e\n7,"a"b,f\n\n8,late,g\n9,"open at the end,h'
)


def test_a_broken_row_has_an_error_in_its_place_and_loses_no_other_row(page: Any) -> None:
    names, *rows = read(score_file(page, "broken.csv", BROKEN))
    assert names == ["id", "text", "label", "docket_label", "score", "error"]
    assert all(len(row) == 6 for row in rows)
    assert [row[0] for row in rows if row[4]] == ["1", "3", "5", "8"]
    assert rows[4][:3] == ["5", 'a "vote"\nsaid', "d"]
    assert [(number, row[5]) for number, row in enumerate(rows) if row[5]] == [
        (1, "a quote stands inside a quoted text: write it twice"),
        (3, "the row has 1 cell, and the first line 3"),
        (5, "the row has 4 cells, and the first line 3"),
        (6, "a quote stands inside a quoted text: write it twice"),
        (8, "a quote opens a text and none closes it: add the closing quote, or write a quote in a text twice"),
    ]
    assert rows[1][0] == '2,"never closed,b'
    assert rows[5][:3] == ["6", "the", "cup,e"]
    assert page.locator(".broken li").count() == 5
    assert "4 rows scored, 5 broken" in page.text_content("#job")


def test_no_added_cell_is_a_formula_and_numbers_stay_numbers(page: Any) -> None:
    results = [{"label": label, "score": 0.5} for label in (MARKUP, "-1", "+1", "@SUM(A1)", "-x")]
    page.route("**/predict/batch", lambda route: route.fulfill(json={"results": results}))
    _, *rows = read(score_file(page, "a.csv", "text\n" + "goal\n" * 5))
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


def test_json_lines_are_returned_line_by_line_with_all_their_characters(page: Any, client: httpx.Client) -> None:
    lines = score_file(page, "a.jsonl", "\ufeff" + "\r\n".join(LINES)).splitlines()
    assert len(lines) == 7
    assert lines[0].startswith(LINES[0][:-1])
    first, no_json, no_object, no_text, blank, last, empty = map(json.loads, lines)
    answer = client.post("/predict", json={"text": "the goal"}).json()
    assert (first["label"], first["score"]) == (answer["label"], pytest.approx(answer["score"]))
    assert no_json == {"line": "this is no JSON", "error": f"is broken JSON: {JSON_ADVICE}"}
    assert no_object == {"line": '["text"]', "error": f"is JSON but no object: {JSON_ADVICE}"}
    assert no_text == {"id": 2, "text": ["5"], "error": "'text' is no text but a list: make it one text"}
    assert "blank" in blank["error"]
    assert "score" not in blank
    assert last["text"] == 'a "label" 🎉 vote'
    assert last["score"] > 0
    assert "error" in empty


def test_a_field_with_the_name_label_stays_unchanged(page: Any) -> None:
    row = json.loads(score_file(page, "a.jsonl", '{"text": "goal", "label": "own"}'))
    assert row["label"] == "own"
    assert row["docket_label"]


def test_many_rows_are_scored_by_at_most_four_requests_at_once(page: Any) -> None:
    """The page counts its own requests: the browser's list of them is short of the last for a while."""
    page.evaluate(
        """() => {
          const send = window.fetch;
          window.requests = { count: 0, now: 0, most: 0 };
          window.fetch = async (...request) => {
            requests.count++;
            requests.most = Math.max(requests.most, ++requests.now);
            return send(...request).finally(() => requests.now--);
          };
        }"""
    )
    rows = read(score_file(page, "many.csv", "id,text\n" + "".join(f"{n},the goal {n}\n" for n in range(3000))))
    assert [row[0] for row in rows[1:]] == [str(number) for number in range(3000)]
    assert all(row[2] and row[3] for row in rows[1:])
    requests = page.evaluate("requests")
    assert 1 < requests["count"] < 3000 / 50
    assert 1 < requests["most"] <= 4


def test_a_refused_request_is_repeated_and_one_that_is_too_large_is_halved(page: Any) -> None:
    refused: list[Any] = []

    def answer(route: Any) -> None:
        if not refused:
            refused.append(route)
            route.fulfill(status=429, headers={"retry-after": "1"}, json={"detail": "the queue is full"})
        elif "large" in (route.request.post_data or ""):
            route.fulfill(status=413, json={"detail": "the body is larger than 9 bytes"})
        else:
            route.continue_()

    page.route("**/predict/batch", answer)
    texts = ["goal", "large", "vote", "law", "match"]
    _, *rows = read(score_file(page, "a.csv", "text\n" + "\n".join(texts)))
    assert [row[0] for row in rows] == texts
    assert [row[3] for row in rows] == ["", "the body is larger than 9 bytes", "", "", ""]
    assert [bool(row[2]) for row in rows] == [True, False, True, True, True]


def test_a_job_can_be_cancelled_and_its_scored_rows_downloaded(page: Any) -> None:
    choose_file(page, "long.csv", "id,text\n" + "".join(f"{n},the goal won {n}\n" for n in range(200_000)))
    wait_until(lambda: page.evaluate("document.querySelector('progress')?.value > 10000"))
    page.click("text=Cancel")
    with page.expect_download() as download:
        page.click("a[download]")
    assert download.value.suggested_filename == "long.labelled.part.csv"
    _, *rows = read(download.value.path().read_text())
    assert 0 < len(rows) < 200_000
    assert [row[0] for row in rows] == [str(number) for number in range(len(rows))]
    assert "Cancelled after" in page.text_content("#job")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"id,body\n1,goal\n", "a.csv has no column 'text' among 'id', 'body'"),
        ("a.csv", ("x" * 90_000).encode(), f"a.csv has no column 'text' among '{'x' * 39}…': say"),
        ("a.csv", b" \r\n", "a.csv is empty"),
        ("a.csv", "text\ngoal\n".encode("utf-16-le"), "a.csv has zero bytes"),
        ("a.xlsx", b"PK", "a.xlsx is no .csv, .tsv, .json or .jsonl"),
    ],
)
def test_an_unusable_file_is_refused_with_a_sentence_in_place_of_earlier_results(
    page: Any, name: str, content: bytes, sentence: str
) -> None:
    score_file(page, "good.csv", "text\nthe goal\n")
    assert page.locator("#job .found").count() == 1
    choose_file(page, name, content)
    page.wait_for_selector("#file-alert:not(:empty)")
    assert page.text_content("#file-alert").startswith(sentence)
    assert page.locator("#job > *").count() == 0


def test_the_file_is_read_again_with_the_encoding_and_the_columns_of_the_form(page: Any) -> None:
    choose_file(page, "mails.csv", "subject,body\nMünchen,the goal\n".encode("cp1252"))
    page.wait_for_selector("#file-alert:not(:empty)")
    page.select_option("#encoding", "windows-1252")
    page.fill("#field", "subject, body")
    page.press("#field", "Enter")
    page.wait_for_selector("a[download]")
    assert page.text_content("#job td.excerpt") == "München\nthe goal"
    assert page.text_content("#file-alert") == ""


def test_a_quote_that_opens_in_each_row_is_read_in_linear_time(page: Any) -> None:
    """A search for the closing quote to the end of the file in each row would take minutes."""
    errors = page.evaluate(
        """async () => {
          const { Csv } = await import("/page/csv.js");
          const csv = new Csv("text\\n" + 'a,"b\\n'.repeat(300001), "a.csv", "csv", { fields: ["text"], header: true });
          return [...csv.rows()].filter((row) => row.error).length;
        }"""
    )
    assert errors == 300_001
