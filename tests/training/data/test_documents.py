import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import UsageError
from training.data.documents import Documents, check_trainable

THREE = Documents(["a", "b", "c"], ["x", "y", "x"], ["line 2", "line 3", "line 4"])


def test_documents_are_taken_by_their_indices_in_the_given_order() -> None:
    assert THREE.take(i for i in [2, 0]) == Documents(["c", "a"], ["x", "x"])
    assert THREE.take([2, 0]).locations == ["line 4", "line 2"]
    assert Documents(["a"], ["x"]).take([0]).locations == []
    assert len(THREE) == 3


def test_with_text_leaves_out_blank_texts() -> None:
    documents = Documents(["a", "", " \n\t\u3000", "b"], ["x", "x", "y", "z"])
    assert documents.with_text() == Documents(["a", "b"], ["x", "z"])


Pairs = list[tuple[str, str]]
PAIRS = st.lists(st.tuples(st.text(max_size=3), st.sampled_from(["x", "y", "xy", ""])), max_size=5)


@settings(max_examples=30)
@given(PAIRS.flatmap(lambda pairs: st.tuples(st.just(pairs), st.permutations(pairs))))
def test_the_fingerprint_does_not_depend_on_the_order(orders: tuple[Pairs, Pairs]) -> None:
    first, second = (Documents([text for text, _ in pairs], [label for _, label in pairs]) for pairs in orders)
    assert first.fingerprint == second.fingerprint
    assert len(first.fingerprint) == 64


@pytest.mark.parametrize(
    "different",
    [
        Documents(["a", "b", "C"], ["x", "y", "x"]),
        Documents(["a", "b", "c"], ["x", "y", "y"]),
        Documents(["b", "a", "c"], ["x", "y", "x"]),
        Documents(["a", "b"], ["x", "y"]),
        Documents(["a", "b", "c", "c"], ["x", "y", "x", "x"]),
        Documents(["a", "b", "xc"], ["x", "y", ""]),
    ],
)
def test_another_text_label_or_number_of_copies_changes_the_fingerprint(different: Documents) -> None:
    assert different.fingerprint != THREE.fingerprint


def test_three_documents_of_each_of_two_labels_are_trainable() -> None:
    check_trainable(Documents(["a", "b", "c", "d", "e", "f"], ["x", "y"] * 3), "corpus.csv")


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        (Documents([], []), "corpus.csv has no document with text: "),
        (Documents(["", " "], ["x", "y"]), "corpus.csv has no document with text: "),
        (Documents(["a", "b", ""], ["x", "x", "y"]), "corpus.csv has one label only, 'x': "),
        (Documents(list("abcde"), list("xxxyy")), "corpus.csv has less than 3 documents of a second label: "),
    ],
)
def test_documents_without_a_second_label_to_learn_are_refused(documents: Documents, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_trainable(documents, "corpus.csv")
