import random

from training.data.near_duplicates import groups


def text(seed: int, length: int = 200) -> str:
    return " ".join(f"word{n}" for n in random.Random(seed).choices(range(5000), k=length))


def changed(original: str, every: int) -> str:
    """One word in ``every`` is another: it takes five shingles with it."""
    return " ".join(f"other{i}" if i % every == every // 2 else word for i, word in enumerate(original.split()))


def test_every_text_of_its_own_is_a_group_of_its_own():
    assert sorted(groups([text(seed) for seed in range(200)])) == list(range(200))


def test_copies_are_one_group_wherever_they_stand():
    a, b, c = text(1), text(2), text(3)
    found = groups([a, b, a, c, b, a])
    assert found[0] == found[2] == found[5]
    assert found[1] == found[4]
    assert len({found[0], found[1], found[3]}) == 3


def test_case_punctuation_and_white_space_make_no_other_text():
    found = groups(["The minister said: no!", "the  MINISTER\nsaid (no)", "The minister said yes"])
    assert found[0] == found[1] != found[2]


def test_texts_that_share_most_of_their_shingles_are_one_group():
    originals = [text(seed) for seed in range(100)]
    found = groups(originals + [changed(original, every=100) for original in originals])  # nine tenths are shared
    assert (found[:100] == found[100:]).sum() >= 95


def test_texts_that_share_less_than_half_of_their_shingles_are_not():
    originals = [text(seed) for seed in range(100)]
    found = groups(originals + [changed(original, every=10) for original in originals])  # a third is shared
    assert (found[:100] != found[100:]).all()


def test_the_same_words_in_another_order_are_another_text():
    one = text(1)
    found = groups([one, " ".join(reversed(one.split()))])
    assert found[0] != found[1]


def test_a_copy_of_a_copy_is_in_the_group():
    versions = [text(0, 400)]
    for step in range(8):
        words = versions[-1].split()
        words[50 * step] = f"new{step}"
        versions.append(" ".join(words))
    assert len(set(groups(versions).tolist())) == 1


def test_short_texts_are_alike_only_if_they_are_the_same():
    found = groups(["goal", "vote", "goal", "late goal", "goal late"])
    assert found[0] == found[2]
    assert len(set(found.tolist())) == 4


def test_texts_without_a_word_are_one_group_and_touch_no_other():
    found = groups(["", "goal", "...", "vote", " "])
    assert found[0] == found[2] == found[4]
    assert len(set(found.tolist())) == 3


def test_the_neighbours_in_the_list_do_not_matter():
    texts = [text(seed) for seed in range(50)] + [changed(text(seed), every=100) for seed in range(50)]
    forward, backward = groups(texts), groups(texts[::-1])[::-1]
    assert ((forward[:, None] == forward) == (backward[:, None] == backward)).all()
