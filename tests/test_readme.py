"""What the README says is so."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from app.settings import PREFIX, Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under the row ``heading``, without the back-ticks."""
    table = README.split(heading, 1)[1].split("\n\n", 1)[0].strip().splitlines()[1:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in table]


def test_the_table_of_settings_is_the_settings():
    said = {name: (default, what) for name, default, what in rows("| setting | default | what |")}
    real = {
        PREFIX + name.upper(): (str(field.default), field.description) for name, field in Settings.model_fields.items()
    }
    assert said == real


def test_the_map_names_every_file_in_the_words_of_its_docstring():
    said = {file: what.replace("`", "") for file, what in rows("| file | what |")}
    house = [
        ROOT / "docket.py",
        *(path for room in ("model", "training", "app", "scoring", "client") for path in (ROOT / room).rglob("*.py")),
    ]
    real = {}
    for path in house:
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        first = " ".join(docstring.split("\n\n")[0].split())
        real[path.relative_to(ROOT).as_posix()] = first.rstrip(".").replace("`", "")
    assert said == {file: what for file, what in real.items() if not file.endswith("__init__.py")}


def test_every_make_target_that_the_readme_names_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", README)) <= targets
    assert {"install", "demo", "train", "serve", "test", "lint", "format", "bench"} <= targets


def test_every_command_that_the_readme_shows_is_one():
    shown = set(re.findall(r"\bdocket (train|evaluate|predict|serve|\w+) (?:artifacts|tickets|/artifacts|--)", README))
    helped = subprocess.run(
        [sys.executable, "-m", "docket", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert shown
    assert all(f"\n    {command} " in helped for command in shown), helped


def test_every_file_that_the_readme_links_to_is_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file(), target
