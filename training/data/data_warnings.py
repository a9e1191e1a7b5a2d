"""Warnings about documents that can be used but look wrong: rare or similar labels, empty texts, copies."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from model.command_output import format_count, quote
from training.data.messages import MAX_LISTED, list_locations, quote_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.data.documents import Documents


def find_training_warnings(documents: Documents) -> list[str]:
    """Return a line for each problem to look at before a training, with the number of documents it affects."""
    with_text = documents.with_text()
    pairs = set(zip(with_text.texts, with_text.labels, strict=True))
    distinct_texts = len(set(with_text.texts))
    lines = [
        _describe_rare_labels(with_text.labels),
        *_describe_similar_labels(with_text),
        _describe_empty_texts(documents, "left out of training; evaluation counts them"),
    ]
    if copies := len(with_text) - distinct_texts:
        count = format_count(copies, "document repeats", "documents repeat")
        lines.append(f"{count} another to the letter: copies stay on one side of every split")
    if conflicts := len(pairs) - distinct_texts:
        count = format_count(conflicts, "time")
        lines.append(f"{count} a text comes with another label than before: no classifier can have both right")
    return [line for line in lines if line]


def find_evaluation_warnings(documents: Documents) -> list[str]:
    """Return a line for each problem that distorts the scores on these documents."""
    empty = _describe_empty_texts(documents, "evaluated like the others")
    return [*_describe_similar_labels(documents), *([empty] if empty else [])]


def describe_untested_labels(trained: Sequence[str], tested: Sequence[str]) -> str | None:
    """Name the labels without a test document. Labels with one document have a warning of their own."""
    untested = sorted({label for label, count in Counter(trained).items() if count > 1} - set(tested))
    if not untested:
        return None
    return f"{format_count(len(untested), 'label has', 'labels have')} no document in the test: {quote_list(untested)}"


def describe_unknown_labels(labels: Sequence[str], known: Sequence[str]) -> str | None:
    """Name the labels that the artifact does not have, each with the known label of a similar spelling."""
    unknown = sorted(set(labels) - set(known))
    if not unknown:
        return None
    similar = {_normalise(label): label for label in known}
    names = [
        f"{quote(label)} (is it {quote(similar[key])}?)" if (key := _normalise(label)) in similar else quote(label)
        for label in unknown[:MAX_LISTED]
    ]
    more = f" and {len(unknown) - MAX_LISTED} more" if len(unknown) > MAX_LISTED else ""
    return f"{format_count(len(unknown), 'label is', 'labels are')} unknown to the artifact: {', '.join(names)}{more}"


def _describe_rare_labels(labels: Sequence[str]) -> str | None:
    rare = [label for label, count in Counter(labels).items() if count == 1]
    if not rare:
        return None
    subject, verb_object = ("it", "it") if len(rare) == 1 else ("they", "them")
    return (
        f"{format_count(len(rare), 'label has', 'labels have')} one document: {quote_list(rare)}: "
        f"{subject} can be learned and not tested, add documents or take {verb_object} out"
    )


def _describe_similar_labels(documents: Documents) -> list[str]:
    """A line for each group of labels that differ only in case, spaces, Unicode form or the notation of a number."""
    spellings = defaultdict[str, list[str]](list)
    for label in sorted(set(documents.labels)):
        spellings[_normalise(label)].append(label)
    groups = [labels for labels in spellings.values() if len(labels) > 1][:MAX_LISTED]
    indices: dict[str, list[int]] = {label: [] for labels in groups for label in labels[:MAX_LISTED]}
    if indices:
        for index, label in enumerate(documents.labels):
            if label in indices:
                indices[label].append(index)
    return [
        f"the labels {', '.join(_count_documents(label, indices[label], documents) for label in labels[:MAX_LISTED])} "
        f"differ in {_name_difference(labels)} alone: if they are one, write them alike"
        for labels in groups
    ]


def _count_documents(label: str, indices: Sequence[int], documents: Documents) -> str:
    locations = [documents.locations[index] for index in indices] if documents.locations else []
    where = f": {list_locations(locations, 3)}" if locations else ""
    return f"{quote(label)} ({format_count(len(indices), 'document')}{where})"


def _normalise(label: str) -> str:
    """Return the same key for labels of a similar spelling."""
    if label.isascii():
        with suppress(ValueError):
            return str(float(label))
    return "".join(unicodedata.normalize("NFKC", label).casefold().split())


def _name_difference(labels: Sequence[str]) -> str:
    normalised = {unicodedata.normalize("NFKC", label) for label in labels}
    if len({"".join(label.split()) for label in normalised}) > 1:
        return "a number's way of writing" if labels[0][0].isdigit() else "case or spaces"
    return "spaces" if len(normalised) > 1 else "Unicode form"


def _describe_empty_texts(documents: Documents, treatment: str) -> str | None:
    empty = [i for i, text in enumerate(documents.texts) if not text.strip()]
    if not empty:
        return None
    where = f" ({list_locations([documents.locations[i] for i in empty])})" if documents.locations else ""
    count = format_count(len(empty), "empty text is", "empty texts are")
    return f"{count} {treatment}{where}: fill {'it' if len(empty) == 1 else 'them'} in, or take the row out"
