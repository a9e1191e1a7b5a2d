from typing import Any

from scoring import blocks
from scoring.blocks import Blocks
from scoring.input_row import InputRow
from tests.support import document_files


def document(text: str, **columns: Any) -> InputRow:
    return InputRow(columns, text)


def test_a_block_ends_at_a_number_of_characters_or_of_documents() -> None:
    long, short = [document("goal " * 10_000)] * 9, [document("goal")] * (2 * blocks.BLOCK_DOCUMENTS + 1)
    assert [len(block.documents) for block in Blocks(iter(long))] == [6, 3]
    assert [len(block.documents) for block in Blocks(iter(short))] == [*[blocks.BLOCK_DOCUMENTS] * 2, 1]


def test_blocks_after_a_skip_to_the_end_of_a_block_are_the_same() -> None:
    documents = [document(row["text"], id=row["id"]) for row in document_files.random_documents(2_000)]
    expected, skipped = list(Blocks(iter(documents))), Blocks(iter(documents))
    skipped.skip(expected[1].end)
    assert (skipped.end, skipped.fingerprint) == (expected[1].end, expected[1].fingerprint)
    assert list(skipped) == expected[2:]
    assert len(expected) > 3


def test_the_fingerprint_depends_on_columns_texts_and_their_order() -> None:
    goal, law = document("goal", id=1), document("law", id=2)
    corpora = [
        [goal, law],
        [law, goal],
        [goal],
        [goal, document("law", id="2")],
        [goal, document("law")],
        [goal, document("law", id=2, team="x")],
        [document("\ud800")],
    ]
    assert len({list(Blocks(iter(corpus)))[-1].fingerprint for corpus in corpora}) == len(corpora)


def test_a_skip_beyond_the_last_document_reads_all() -> None:
    short = Blocks(iter([document("goal")]))
    short.skip(5)
    assert short.end == 1
    assert list(short) == []
