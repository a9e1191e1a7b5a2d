"""Documents, and files of them."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from tests.support import tiny

if TYPE_CHECKING:
    from pathlib import Path


def random_documents(count: int, words: int = 300, seed: int = 0) -> list[dict[str, Any]]:
    """Documents with an id and up to twice ``words`` words, known and unknown to ``tiny.artifact``."""
    rng = random.Random(seed)
    known = [*tiny.WORDS, "quux", "größer", "比赛"]
    return [
        {"id": number, "text": " ".join(rng.choices(known, k=rng.randint(1, 2 * words)))} for number in range(count)
    ]


def write_json_lines(path: Path, documents: list[dict[str, Any]]) -> Path:
    """Write documents as JSON lines and return ``path``."""
    path.write_text("".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents))
    return path
