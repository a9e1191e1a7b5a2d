"""The README names every setting and every folder; tests/test_docs.py runs its blocks."""

import re
from pathlib import Path

from app.settings import PREFIX, Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of all tables under the row ``heading``, without the back-ticks."""
    tables = [after.split("\n\n", 1)[0].strip().splitlines()[1:] for after in page.split(heading)[1:]]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for table in tables for row in table]


def shown(default: object) -> str:
    """A default as a variable would say it, or a dash where no variable can."""
    return "–" if default is None else str(default).lower() if isinstance(default, bool) else str(default)  # noqa: RUF001


def test_the_table_of_settings_is_the_settings():
    said = {name: (default, what) for name, default, what in rows(README, "| setting | default | what |")}
    real = {
        PREFIX + name.upper(): (shown(field.default), field.description)
        for name, field in Settings.model_fields.items()
    }
    assert said == real


def test_the_readme_fits_in_a_screen_and_a_half():
    assert README.count("\n") <= 120


def test_every_package_has_a_line():
    said = {folder for folder, _ in rows(README, "| folder | what |")}
    folders = ("model", "training", "app", "scoring", "client", "benchmarks", "deploy", "docs")
    assert said == {f"{folder}/" for folder in folders}


def test_every_make_target_that_the_design_promises_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {"install", "demo", "train", "serve", "test", "lint", "format", "bench"} <= targets
