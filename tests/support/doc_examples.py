"""Run the examples of the documentation: Sybil finds the fenced blocks of a page, an evaluator runs each of them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sybil import Document, Region
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

import docket
from app.settings import PREFIX, Settings
from tests.support.command_line import run_inline
from tests.support.deploy_files import metric_names
from tests.support.service import WAIT_SECONDS, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sybil import Example

ROOT = Path(__file__).parents[2]
ADDRESS = "127.0.0.1:8000"
CLIENTS_PYTHON = ROOT / ".venv-clients" / "bin" / "python"
FOREIGN_CLIENT = re.compile(r"^(?:import|from) (?:tritonclient|huggingface_hub)", re.MULTILINE)
FENCE = re.compile(r"(?P<language>\S*) ?(?P<file>.*)$\n", re.MULTILINE)
"""The end of a fence's first line: the block's language, and the name of the file that it becomes."""


def run_examples(page: Path, server: Server, *, foreign_clients: bool = False) -> None:
    """Run the examples of a page in the current folder, against ``server``.

    ``foreign_clients``: the programs that need the environment of the foreign clients, instead of all others.
    """

    def parse(document: Document) -> Iterator[Region]:
        for region in RawFencedCodeBlockLexer(FENCE)(document):
            source, language = region.lexemes["source"], region.lexemes["language"]
            foreign = bool(FOREIGN_CLIENT.search(source))
            if foreign == foreign_clients and source.startswith(">>>"):
                for example in DocTestStringParser()(source, document.path):
                    example.adjust(region, source)
                    yield example
            elif foreign == foreign_clients:
                region.parsed = source
                region.evaluator = run_foreign_client if foreign else EVALUATORS[language]  # type: ignore[assignment]
                yield region

    document = Document.parse(str(page), parse)
    document.namespace |= {"server": server, "__name__": "page"}
    for example in document:
        example.evaluate()


def with_test_address(example: Example) -> Any:
    """The text of a block with the address of the test's server in place of the documented one."""
    host = example.namespace["server"].url.partition("//")[2]
    return type(example.parsed)(
        example.parsed.replace(ADDRESS, host), example.parsed.offset, example.parsed.line_offset
    )


def run_python(example: Example) -> None:
    """Run a program; the comment of ``print(error)  # text`` is expected output."""
    example.parsed = with_test_address(example)
    with redirect_stdout(StringIO()) as output:
        PythonEvaluator()(example)
    for expected in re.findall(r"print\(error\)  # (.*)", example.parsed):
        assert expected in output.getvalue()


def run_foreign_client(example: Example) -> None:
    command = [str(CLIENTS_PYTHON), "-c", with_test_address(example)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=True)
    assert "sports" in run.stdout or "politics" in run.stdout


def run_shell(example: Example) -> None:
    """Run each line."""
    for line in with_test_address(example).replace("\\\n", " ").splitlines():
        if shlex.split(line, comments=True):
            run_command(line)


def run_console(example: Example) -> None:
    """Run the command behind each ``$``, and compare its output with the lines below it."""
    for step in re.split(r"^\$ ", with_test_address(example), flags=re.MULTILINE)[1:]:
        command, _, shown = step.replace("\\\n", " ").partition("\n")
        output = run_command(command, shown)
        assert is_same_output(output, shown), f"{command}\nprinted\n{output}\nand the page shows\n{shown}"


def run_command(line: str, shown: str = "") -> str:
    """Return the output of a command; only check the arguments of one that takes minutes or needs a cluster."""
    words, settings = shlex.split(line, comments=True), {}
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, _, value = words.pop(0).partition("=")
        settings[name.removeprefix(PREFIX).lower()] = value
    Settings(**settings)
    match Path(words[0]).name, *words[1:]:
        case "docket", *arguments:
            docket.build_parser().parse_args(arguments)
            refused = shown.startswith("docket: ")
            if (arguments[0] in ("train", "serve") and not refused) or "ray" in arguments:
                return ""
            run = run_inline(*arguments)
            assert run.returncode == (2 if refused else 0), run.stderr
            return run.stdout + run.stderr
        case "curl", *_:
            bash = ["bash", "-c", line]
            return subprocess.run(bash, capture_output=True, text=True, timeout=WAIT_SECONDS, check=True).stdout
        case "make", target, *_:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), target
        case (("torchrun" | "pip"), *_):
            pass
        case _:
            raise AssertionError(f"no test runs this command: {line}")
    return ""


def check_queries(example: Example) -> None:
    """Each line queries Prometheus for metrics of the service."""
    shown = example.namespace["server"].get("/metrics").text
    for name in metric_names(example.parsed):
        assert f"\n{name}" in shown


def save_file(example: Example) -> None:
    """Save a block that has a file's name; a block without one is for people only."""
    if name := example.region.lexemes["file"]:
        Path(name).write_text(example.parsed, encoding="utf-8")


def is_same_output(output: str, shown: str) -> bool:
    """Compare sentences word for word, JSON by its shape, and a response's headers by their names."""
    if shown.startswith("HTTP/"):
        first, second = ([line.partition(":")[0] for line in text.strip().splitlines()] for text in (output, shown))
        return first == second
    pairs = list(zip(output.splitlines(), shown.splitlines(), strict=True))
    return all(is_same_shape(*map(json.loads, pair)) if pair[1][0] in "{[" else pair[0] == pair[1] for pair in pairs)


def is_same_shape(answer: Any, shown: Any, field: str = "") -> bool:
    """Whether two JSON values have the same fields and types, whatever the labels and their number."""
    if isinstance(answer, dict) and isinstance(shown, dict):
        if "detail" in answer or "error_type" in answer:
            return answer == shown  # the page shows a problem word for word
        if field == "labels" and all(isinstance(value, float) for value in answer.values()):
            return True  # a number for each label
        return answer.keys() == shown.keys() and all(is_same_shape(answer[key], shown[key], key) for key in answer)
    if isinstance(answer, list) and isinstance(shown, list):
        return not answer or not shown or is_same_shape(answer[0], shown[0])
    return type(answer) is type(shown) or {type(answer), type(shown)} == {int, float}


EVALUATORS: dict[str, Callable[[Example], object]] = {
    "python": run_python,
    "sh": run_shell,
    "console": run_console,
    "promql": check_queries,
    "json": lambda example: json.loads(example.parsed) and None,
    "jsonl": save_file,
    "csv": save_file,
    "text": save_file,
}
