from scoring import blocks
from scoring.blocks import Blocks
from scoring.input_row import InputRow
from tests.support import document_files


def document(text, **row):
    return InputRow(row, text)


def test_a_block_ends_at_so_many_characters_or_documents():
    long, short = [document("goal " * 10_000)] * 9, [document("goal")] * (2 * blocks.BLOCK_DOCUMENTS + 1)
    assert [len(block.documents) for block in Blocks(iter(long))] == [6, 3]
    assert [len(block.documents) for block in Blocks(iter(short))] == [
        blocks.BLOCK_DOCUMENTS,
        blocks.BLOCK_DOCUMENTS,
        1,
    ]


def test_after_a_skip_to_the_end_of_a_block_the_blocks_are_the_same():
    made = [document(row["text"], id=row["id"]) for row in document_files.random_documents(2_000)]
    whole = list(Blocks(iter(made)))
    rest = Blocks(iter(made))
    rest.skip(whole[1].end)
    assert (rest.end, rest.fingerprint) == (whole[1].end, whole[1].fingerprint)
    assert list(rest) == whole[2:]
    assert len(whole) > 3


def test_the_fingerprint_knows_columns_texts_and_their_order():
    one, other = document("goal", id=1), document("law", id=2)
    several = [
        [one, other],
        [other, one],
        [one],
        [one, document("law", id="2")],
        [one, document("law")],
        [one, document("law", id=2, team="x")],
        [document("\ud800")],
    ]
    assert len({list(Blocks(iter(each)))[-1].fingerprint for each in several}) == len(several)


def test_of_fewer_documents_than_are_skipped_all_are_read():
    short = Blocks(iter([document("goal")]))
    short.skip(5)
    assert short.end == 1
    assert list(short) == []
