"""What is odd about labels: rare, alike, unknown, or several in one."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from model.terminal import format_count, quote
from training.data.notices import MOST, listed, listed_places

if TYPE_CHECKING:
    from collections.abc import Sequence


def rare_labels(labels: Sequence[str]) -> str | None:
    """One line on the labels with a single document."""
    single = [label for label, count in Counter(labels).items() if count == 1]
    if not single:
        return None
    them = "it" if len(single) == 1 else "they"
    return (
        f"{format_count(len(single), 'label has', 'labels have')} one document: {listed(single)}: "
        f"{them} can be learned and not tested, add documents or take {'it' if len(single) == 1 else 'them'} out"
    )


def alike_labels(labels: Sequence[str], places: Sequence[str] = ()) -> list[str]:
    """A line for each group of labels that differ in case, spaces, Unicode form or a number's way of writing alone.

    Each label is followed by the number of its documents and, where known, their first ``places``.
    """
    groups = defaultdict[str, list[str]](list)
    for label in sorted(set(labels)):
        groups[_key(label)].append(label)
    alike = [group for group in groups.values() if len(group) > 1][:MOST]
    found: dict[str, list[int]] = {label: [] for group in alike for label in group[:MOST]}
    for number, label in enumerate(labels if found else ()):
        if label in found:
            found[label].append(number)
    return [
        f"the labels {', '.join(_with_documents(label, found[label], places) for label in group[:MOST])} differ in "
        f"{_difference(group)} alone: if they are one, write them alike"
        for group in alike
    ]


def _with_documents(label: str, numbers: Sequence[int], places: Sequence[str]) -> str:
    where = f": {listed_places([places[number] for number in numbers], 3)}" if places else ""
    return f"{quote(label)} ({format_count(len(numbers), 'document')}{where})"


def untested_labels(learned: Sequence[str], tested: Sequence[str]) -> str | None:
    """One line on the labels that the test has no document of; those with one document ``rare_labels`` names."""
    missing = sorted({label for label, count in Counter(learned).items() if count > 1} - set(tested))
    if not missing:
        return None
    return f"{format_count(len(missing), 'label has', 'labels have')} no document in the test: {listed(missing)}"


def unknown_labels(labels: Sequence[str], known: Sequence[str]) -> str | None:
    """One part of a sentence on the labels that a network does not know, with the known ones that look like them."""
    unknown = sorted(set(labels) - set(known))
    if not unknown:
        return None
    names = {_key(label): label for label in known}
    each = [
        f"{quote(label)} (is it {quote(names[_key(label)])}?)" if _key(label) in names else quote(label)
        for label in unknown[:MOST]
    ]
    more = f" and {len(unknown) - MOST} more" if len(unknown) > MOST else ""
    return f"{format_count(len(unknown), 'label is', 'labels are')} unknown to the artifact: {', '.join(each)}{more}"


def joined_label(labels: Sequence[str]) -> str | None:
    """The first label that is several joined by ``#``, as doccano writes them: a part of it is a label alone too."""
    alone = set(labels)
    return next(
        (each for each in labels if len(parts := each.split("#")) > 1 and all(parts) and alone & set(parts)), None
    )


def _key(label: str) -> str:
    """The same for labels that are alike."""
    with suppress(ValueError):
        if label.isascii():
            return str(float(label))
    return "".join(unicodedata.normalize("NFKC", label).casefold().split())


def _difference(group: Sequence[str]) -> str:
    if len({"".join(unicodedata.normalize("NFKC", label).split()) for label in group}) > 1:
        return "a number's way of writing" if group[0][0].isdigit() else "case or spaces"
    if len({unicodedata.normalize("NFKC", label) for label in group}) > 1:
        return "spaces"
    return "Unicode form"
