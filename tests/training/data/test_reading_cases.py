"""A table of real-life files and the documents that are read from them. The reader of the web page follows it too."""

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
def test_labelled_documents_are_those_of_the_table(case):
    path, messages = CASES / case["file"], list[str]()
    if "refused" in case:
        with pytest.raises(UsageError) as caught:
            reader.read_labelled(path, options(case), messages.append)
        assert case["refused"] in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    documents, _ = reader.read_labelled(path, options(case), messages.append)
    assert [list(pair) for pair in zip(documents.texts, documents.labels, strict=True)] == case["rows"]
    assert bool(messages) == ("says" in case)
    assert all(any(each in line for line in messages) for each in case.get("says", []))


@pytest.mark.parametrize(
    "case", [case for case in EXPECTED if "texts" in case or "texts_refused" in case], ids=lambda case: case["case"]
)
def test_inputs_are_those_of_the_table(case):
    path = CASES / case["file"]
    if "texts_refused" in case:
        with pytest.raises(UsageError) as caught:
            list(reader.read_inputs(path, options(case), lambda line: None))
        assert case["texts_refused"] in str(caught.value)
        return
    documents = list(reader.read_inputs(path, options(case), lambda line: None))
    assert [document.text for document in documents] == case["texts"]
    assert all((document.text is None) == (document.error is not None) for document in documents)


def test_each_file_has_a_case():
    assert {case["file"] for case in EXPECTED} == {path.name for path in CASES.iterdir()} - {"expected.json"}
