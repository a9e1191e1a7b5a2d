import random

from training.data.near_duplicates import group_near_duplicates


def make_text(seed: int, length: int = 200) -> str:
    return " ".join(f"word{n}" for n in random.Random(seed).choices(range(5000), k=length))


def replace_words(text: str, interval: int) -> str:
    """Replace one word in ``interval``: each replacement changes five shingles."""
    words = enumerate(text.split())
    return " ".join(f"other{i}" if i % interval == interval // 2 else word for i, word in words)


def test_unrelated_texts_are_groups_of_one():
    assert sorted(group_near_duplicates([make_text(seed) for seed in range(200)])) == list(range(200))


def test_copies_are_one_group_at_any_position():
    a, b, c = make_text(1), make_text(2), make_text(3)
    groups = group_near_duplicates([a, b, a, c, b, a])
    assert groups[0] == groups[2] == groups[5]
    assert groups[1] == groups[4]
    assert len({groups[0], groups[1], groups[3]}) == 3


def test_case_punctuation_and_white_space_do_not_count():
    groups = group_near_duplicates(["The minister said: no!", "the  MINISTER\nsaid (no)", "The minister said yes"])
    assert groups[0] == groups[1] != groups[2]


def test_texts_that_share_nine_tenths_of_their_shingles_are_one_group():
    originals = [make_text(seed) for seed in range(100)]
    groups = group_near_duplicates(originals + [replace_words(text, 100) for text in originals])
    assert (groups[:100] == groups[100:]).sum() >= 95


def test_texts_that_share_a_third_of_their_shingles_are_two_groups():
    originals = [make_text(seed) for seed in range(100)]
    groups = group_near_duplicates(originals + [replace_words(text, 10) for text in originals])
    assert (groups[:100] != groups[100:]).all()


def test_the_order_of_words_counts():
    text = make_text(1)
    groups = group_near_duplicates([text, " ".join(reversed(text.split()))])
    assert groups[0] != groups[1]


def test_a_copy_of_a_copy_is_in_the_group():
    versions = [make_text(0, 400)]
    for step in range(8):
        words = versions[-1].split()
        words[50 * step] = f"new{step}"
        versions.append(" ".join(words))
    assert len(set(group_near_duplicates(versions).tolist())) == 1


def test_short_texts_are_one_group_only_if_they_are_equal():
    groups = group_near_duplicates(["goal", "vote", "goal", "late goal", "goal late"])
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 4


def test_texts_without_a_word_are_one_group_and_do_not_join_others():
    groups = group_near_duplicates(["", "goal", "...", "vote", " "])
    assert groups[0] == groups[2] == groups[4]
    assert len(set(groups.tolist())) == 3


def test_the_order_of_texts_does_not_change_the_groups():
    texts = [make_text(seed) for seed in range(50)] + [replace_words(make_text(seed), 100) for seed in range(50)]
    forward, backward = group_near_duplicates(texts), group_near_duplicates(texts[::-1])[::-1]
    assert ((forward[:, None] == forward) == (backward[:, None] == backward)).all()
