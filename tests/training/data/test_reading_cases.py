"""A table of real-life files and the documents that are read from them. The reader of the web page follows it too."""

import json
from pathlib import Path
from typing import Any

import pytest

from model.errors import UsageError
from training.data import reader
from training.data.read_options import ReadOptions

Case = dict[str, Any]
CASES = Path(__file__).parents[2] / "data" / "cases"
EXPECTED: list[Case] = json.loads((CASES / "expected.json").read_text(encoding="utf-8"))


def read_options(case: Case) -> ReadOptions:
    options: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in case.get("options", {}).items()
    }
    return ReadOptions(**options)


@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: case["case"])
def test_labelled_documents_are_those_of_the_table(case: Case) -> None:
    path, messages = CASES / case["file"], list[str]()
    if "refused" in case:
        with pytest.raises(UsageError) as caught:
            reader.read_labelled(path, read_options(case), messages.append)
        assert case["refused"] in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    documents, _ = reader.read_labelled(path, read_options(case), messages.append)
    assert [list(pair) for pair in zip(documents.texts, documents.labels, strict=True)] == case["rows"]
    assert bool(messages) == ("says" in case)
    assert all(any(message in line for line in messages) for message in case.get("says", []))


@pytest.mark.parametrize(
    "case", [case for case in EXPECTED if "texts" in case or "texts_refused" in case], ids=lambda case: case["case"]
)
def test_inputs_are_those_of_the_table(case: Case) -> None:
    inputs = reader.read_inputs(CASES / case["file"], read_options(case), lambda line: None)
    if "texts_refused" in case:
        with pytest.raises(UsageError) as caught:
            list(inputs)
        assert case["texts_refused"] in str(caught.value)
        return
    documents = list(inputs)
    assert [document.text for document in documents] == case["texts"]
    assert all((document.text is None) == (document.error is not None) for document in documents)
