import pytest

from model.errors import UsageError
from training.data.documents import Documents, check_trainable

THREE = Documents(["a", "b", "c"], ["x", "y", "x"], ["line 2", "line 3", "line 4"])


def test_the_fingerprint_depends_on_texts_labels_and_copies_but_not_on_the_order() -> None:
    assert Documents(["c", "a", "b"], ["x", "x", "y"]).fingerprint == THREE.fingerprint
    different = [
        THREE,
        Documents(["a", "b", "C"], ["x", "y", "x"]),
        Documents(["a", "b", "c"], ["x", "y", "y"]),
        Documents(["b", "a", "c"], ["x", "y", "x"]),
        Documents(["a", "b"], ["x", "y"]),
        Documents(["a", "b", "c", "c"], ["x", "y", "x", "x"]),
        Documents(["a", "b", "xc"], ["x", "y", ""]),
    ]
    assert len({documents.fingerprint for documents in different}) == len(different)


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
    check_trainable(Documents(list("abcdef"), ["x", "y"] * 3), "corpus.csv")
    with pytest.raises(UsageError, match=message):
        check_trainable(documents, "corpus.csv")
