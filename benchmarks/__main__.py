"""Run a benchmark: ``python -m benchmarks NAME [ARGUMENTS]``."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run ``benchmarks.NAME.main``. Return 2 with a sentence if the benchmark cannot run here."""
    name, *options = arguments
    try:
        code: int = import_module(f"benchmarks.{name}").main(options)
    except UsageError as refusal:
        print(f"{name}: {refusal}", file=sys.stderr)
        return 2
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
