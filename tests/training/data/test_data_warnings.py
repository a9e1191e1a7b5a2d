import pytest

from training.data.data_warnings import (
    describe_unknown_labels,
    describe_untested_labels,
    find_evaluation_warnings,
    find_training_warnings,
)
from training.data.documents import Documents


def test_good_documents_have_no_warnings() -> None:
    documents = Documents(["a", "b", "c", "d"], ["x", "y", "x", "y"])
    assert find_training_warnings(documents) == find_evaluation_warnings(documents) == []


def test_each_warning_has_a_count() -> None:
    texts = ["a", "a", "a", "b", "b", "c", "", " ", "d"]
    labels = ["x", "x", "y", "x", "x", "y", "x", "z", "w"]
    rare, empty, copies, conflicts = find_training_warnings(Documents(texts, labels))
    assert rare.startswith("1 label has one document: 'w'")  # z has no document with text
    assert empty.startswith("2 empty texts")
    assert copies.startswith("3 documents repeat another")
    assert conflicts.startswith("1 time a text comes with another label")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["Login", "login"], "'Login' (2 documents), 'login' (2 documents) differ in case or spaces"),
        (["sign up", "signup"], "'sign up' (2 documents), 'signup' (2 documents) differ in spaces"),
        (["R\u00e9clamation", "Re\u0301clamation"], "differ in Unicode form"),
        (["1", "1.0"], "'1' (2 documents), '1.0' (2 documents) differ in a number's way of writing"),
    ],
)
def test_similar_labels_are_named(labels: list[str], message: str) -> None:
    (line,) = find_training_warnings(Documents(["a", "b", "c", "d"], labels * 2))
    assert message in line


def test_similar_labels_and_empty_texts_are_named_with_their_first_lines() -> None:
    documents = Documents(
        ["a", "", "b", " ", "c", "d", "e", "f", "g", "h", "i"],
        ["Login", "login", "logout", "logout", "login", *["Login"] * 5, "logout"],
        [f"line {number}" for number in range(2, 13)],
    )
    lines = "\n".join(find_training_warnings(documents))
    assert "'Login' (6 documents: line 2, line 7, line 8 and 3 more), 'login' (1 document: line 6) differ in" in lines
    assert "2 empty texts are left out of training; evaluation counts them (line 3, line 5): fill them in" in lines
    similar, empty = find_evaluation_warnings(documents)
    assert "'login' (2 documents: line 3, line 6) differ in case or spaces" in similar
    assert empty == "2 empty texts are evaluated like the others (line 3, line 5): fill them in, or take the row out"


def test_untested_labels_are_named_unless_they_have_one_document() -> None:
    assert describe_untested_labels(["x", "x", "y", "y", "z"], ["x"]) == "1 label has no document in the test: 'y'"
    assert describe_untested_labels(["x", "x"], ["x"]) is None


def test_unknown_labels_are_named_with_the_similar_known_label() -> None:
    message = "2 labels are unknown to the artifact: 'Sports' (is it 'sports'?), 'law'"
    assert describe_unknown_labels(["law", "Sports", "tech"], ["sports", "tech"]) == message
    assert describe_unknown_labels(["tech"], ["sports", "tech"]) is None
