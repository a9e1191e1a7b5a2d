import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import UsageError
from training.data.documents import Documents, check_trainable

SOME = Documents(["a", "b", "c"], ["x", "y", "x"])


def test_documents_are_taken_by_their_places_in_the_order_asked_for():
    assert SOME.take(i for i in [2, 0]) == Documents(["c", "a"], ["x", "x"])
    assert len(SOME) == 3


def test_empty_and_blank_texts_have_nothing_to_learn_from():
    documents = Documents(["a", "", " \n\t\u3000", "b"], ["x", "x", "y", "z"])
    assert documents.with_text() == Documents(["a", "b"], ["x", "z"])


PAIRS = st.lists(st.tuples(st.text(max_size=3), st.sampled_from(["x", "y", "xy", ""])), max_size=5)


@settings(max_examples=30)
@given(PAIRS.flatmap(lambda pairs: st.tuples(st.just(pairs), st.permutations(pairs))))
def test_the_fingerprint_does_not_depend_on_the_order(two):
    one, other = (Documents([text for text, _ in pairs], [label for _, label in pairs]) for pairs in two)
    assert one.fingerprint == other.fingerprint
    assert len(one.fingerprint) == 64


@pytest.mark.parametrize(
    "other",
    [
        Documents(["a", "b", "C"], ["x", "y", "x"]),
        Documents(["a", "b", "c"], ["x", "y", "y"]),
        Documents(["b", "a", "c"], ["x", "y", "x"]),
        Documents(["a", "b"], ["x", "y"]),
        Documents(["a", "b", "c", "c"], ["x", "y", "x", "x"]),
        Documents(["a", "b", "xc"], ["x", "y", ""]),
    ],
)
def test_another_text_label_or_number_of_copies_is_another_fingerprint(other):
    assert other.fingerprint != SOME.fingerprint


def test_documents_without_oddities_are_passed_over_in_silence():
    assert Documents(["a", "b", "c", "d"], ["x", "y", "x", "y"]).oddities() == []


def test_every_oddity_is_told_with_its_count():
    texts = ["a", "a", "a", "b", "b", "c", "", " ", "d"]
    labels = ["x", "x", "y", "x", "x", "y", "x", "z", "w"]
    single, empty, copies, torn = Documents(texts, labels).oddities()
    assert empty.startswith("2 empty texts")
    assert single.startswith("1 label has one document: 'w'")  # w; z has none
    assert copies.startswith("3 documents repeat another")
    assert torn.startswith("1 time a text comes with another label")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["Login", "login"], "'Login' (2 documents), 'login' (2 documents) differ in case or spaces"),
        (["sign up", "signup"], "'sign up' (2 documents), 'signup' (2 documents) differ in spaces"),
        (["R\u00e9clamation", "Re\u0301clamation"], "differ in Unicode form"),
        (["1", "1.0"], "'1' (2 documents), '1.0' (2 documents) differ in a number's way of writing"),
    ],
)
def test_labels_that_are_alike_are_named(labels, said):
    (line,) = Documents(["a", "b", "c", "d"], labels * 2).oddities()
    assert said in line


PLACED = Documents(
    ["a", "", "b", " ", "c", "d", "e", "f", "g", "h", "i"],
    ["Login", "login", "logout", "logout", "login", *["Login"] * 5, "logout"],
    [f"line {number}" for number in range(2, 13)],
)


def test_the_first_lines_of_empty_texts_and_of_labels_that_are_alike_are_named():
    lines = "\n".join(PLACED.oddities())
    assert "'Login' (6 documents: line 2, line 7, line 8 and 3 more), 'login' (1 document: line 6) differ in" in lines
    assert "2 empty texts are left out of training; evaluation counts them (line 3, line 5): fill them in" in lines


def test_before_an_evaluation_empty_texts_and_labels_that_are_alike_alone_are_named():
    alike, empty = PLACED.test_oddities()
    assert "'login' (2 documents: line 3, line 6) differ in case or spaces" in alike
    assert empty == ("2 empty texts are evaluated like the others (line 3, line 5): fill them in, or take the row out")
    assert SOME.test_oddities() == []


def test_documents_that_are_taken_keep_their_places():
    assert PLACED.with_text().places[:2] == ["line 2", "line 4"]
    assert SOME.take([0]).places == []


def test_documents_of_two_labels_can_be_learned_from():
    check_trainable(Documents(["a", "b", "c", "d", "e", "f"], ["x", "y"] * 3), "corpus.csv")


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        (Documents([], []), "corpus.csv has no document with text: "),
        (Documents(["", " "], ["x", "y"]), "corpus.csv has no document with text: "),
        (Documents(["a", "b", ""], ["x", "x", "y"]), "corpus.csv has one label only, 'x': "),
    ],
)
def test_documents_with_less_than_two_labels_to_tell_apart_are_refused(documents, expected):
    with pytest.raises(UsageError, match=expected):
        check_trainable(documents, "corpus.csv")
