import random

import pytest

from training.data.near_duplicates import group_near_duplicates


def make_text(seed: int, length: int = 200) -> str:
    return " ".join(f"word{n}" for n in random.Random(seed).choices(range(5000), k=length))


def replace_words(text: str, interval: int) -> str:
    """Replace one word in ``interval``: each replacement changes five shingles."""
    words = enumerate(text.split())
    return " ".join(f"other{i}" if i % interval == interval // 2 else word for i, word in words)


ORIGINALS = [make_text(seed) for seed in range(100)]


@pytest.mark.parametrize(
    ("texts", "groups"),
    [
        (ORIGINALS, range(100)),
        ([ORIGINALS[place] for place in (0, 1, 0, 2, 1, 0)], [0, 1, 0, 2, 1, 0]),
        (["The minister said: no!", "the  MINISTER\nsaid (no)", "The minister said yes"], [0, 0, 1]),
        ([ORIGINALS[0], " ".join(reversed(ORIGINALS[0].split()))], [0, 1]),
        (["goal", "vote", "goal", "late goal", "goal late"], [0, 1, 0, 2, 3]),
        (["", "goal", "...", "vote", " "], [0, 1, 0, 2, 0]),
    ],
    ids=["unrelated texts", "copies", "case and punctuation", "another order of words", "short texts", "no words"],
)
def test_texts_with_the_same_words_in_the_same_order_are_one_group(texts: list[str], groups: list[int]) -> None:
    number: dict[int, int] = {}
    assert [number.setdefault(group, len(number)) for group in group_near_duplicates(texts).tolist()] == list(groups)


def test_texts_that_share_nine_tenths_of_their_shingles_are_one_group_and_a_third_two() -> None:
    groups = group_near_duplicates(ORIGINALS + [replace_words(text, 100) for text in ORIGINALS])
    assert (groups[:100] == groups[100:]).sum() >= 95
    groups = group_near_duplicates(ORIGINALS + [replace_words(text, 10) for text in ORIGINALS])
    assert (groups[:100] != groups[100:]).all()


def test_a_copy_of_a_copy_is_in_the_group() -> None:
    versions = [make_text(0, 400)]
    for step in range(8):
        words = versions[-1].split()
        words[50 * step] = f"new{step}"
        versions.append(" ".join(words))
    assert len(set(group_near_duplicates(versions).tolist())) == 1
