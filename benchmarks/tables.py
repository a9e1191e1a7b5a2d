"""Tables in Markdown, the measured parts of pages in docs/, and measured rows in files of JSON lines."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- measured -->", "<!-- end -->"


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Format a table; a number is formatted by its caller."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def update_page(name: str, *parts: str, folder: Path = DOCS) -> None:
    """Replace the measured part of a page, and print it. A folder without the page gets the page of docs/."""
    machine = f"Measured on {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}."
    measured = "\n\n".join([machine, *parts])
    page = (folder if (folder / name).exists() else DOCS) / name
    head, _, content = page.read_text(encoding="utf-8").partition(BEGIN)
    tail = content.partition(END)[2]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"{head}{BEGIN}\n\n{measured}\n\n{END}{tail}", encoding="utf-8")
    print(measured)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the rows of earlier runs; no file has no rows."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def write_rows(path: Path, rows: Iterable[Any]) -> None:
    """Write each named tuple as a line of JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row._asdict(), ensure_ascii=False) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
