"""The table of cases: files as people have them, and what is read of them; the page's own reader follows it too."""

import json
from pathlib import Path

import pytest

from model.errors import UsageError
from training.data import reader
from training.data.read_options import ReadOptions

CASES = Path(__file__).parents[2] / "data" / "cases"
EXPECTED = json.loads((CASES / "expected.json").read_text(encoding="utf-8"))


def options(case: dict) -> ReadOptions:
    return ReadOptions(
        **{name: tuple(each) if isinstance(each, list) else each for name, each in case.get("options", {}).items()}
    )


@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: case["case"])
def test_labelled_rows_are_those_of_the_table(case):
    path, said = CASES / case["file"], list[str]()
    if "refused" in case:
        with pytest.raises(UsageError) as caught:
            reader.read_labelled(path, options(case), said.append)
        assert case["refused"] in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    documents, _ = reader.read_labelled(path, options(case), said.append)
    assert [list(pair) for pair in zip(documents.texts, documents.labels, strict=True)] == case["rows"]
    assert bool(said) == ("says" in case)
    assert all(any(each in line for line in said) for each in case.get("says", []))


@pytest.mark.parametrize(
    "case", [case for case in EXPECTED if "texts" in case or "texts_refused" in case], ids=lambda case: case["case"]
)
def test_documents_to_be_answered_are_those_of_the_table(case):
    path = CASES / case["file"]
    if "texts_refused" in case:
        with pytest.raises(UsageError) as caught:
            list(reader.read_inputs(path, options(case), lambda line: None))
        assert case["texts_refused"] in str(caught.value)
        return
    read = list(reader.read_inputs(path, options(case), lambda line: None))
    assert [each.text for each in read] == case["texts"]
    assert all((each.text is None) == (each.error is not None) for each in read)


def test_each_file_of_the_table_is_in_it():
    assert {case["file"] for case in EXPECTED} == {path.name for path in CASES.iterdir()} - {"expected.json"}
