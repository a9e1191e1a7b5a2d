"""How documents are to be read: which fields, which encoding, whether the first line has names."""

from __future__ import annotations

from dataclasses import dataclass

TEXT, LABEL = ("text",), ("label",)


@dataclass(frozen=True)
class ReadOptions:
    """``text_fields``: joined in this order; ``encoding``: None for UTF-8; ``header``: False for ``--no-header``.

    Several ``label_fields`` are columns of 0 and 1, one for each label.
    """

    text_fields: tuple[str, ...] = TEXT
    label_fields: tuple[str, ...] = LABEL
    encoding: str | None = None
    header: bool = True

    def needed(self, *, labelled: bool) -> tuple[str, ...]:
        """The fields that a row must have."""
        return (*self.text_fields, *self.label_fields) if labelled else self.text_fields

    @property
    def default_fields(self) -> bool:
        """Whether no field was named."""
        return (self.text_fields, self.label_fields) == (TEXT, LABEL)
