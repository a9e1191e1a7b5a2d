"""The pages that people read, as programs: each block of code, and how it is run."""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import re
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from prometheus_client.parser import text_string_to_metric_families

import docket
from app.settings import PREFIX, Settings
from tests.support.deploy_files import metric_names
from tests.support.service import WAIT_SECONDS, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
PAGES = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md")} | {
    path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "docs").rglob("*.md"))
}
CLIENTS = ROOT / ".venv-clients" / "bin" / "python"
THEIRS = re.compile(r"^(?:import|from) (?:tritonclient|huggingface_hub)", re.MULTILINE)
ADDRESS = "127.0.0.1:8000"
TAKES_LONG = ("train", "serve")


class Block(NamedTuple):
    """A fenced block: the line of the page at which it begins, its language, what stands behind that, and its text."""

    line: int
    language: str
    name: str
    text: str


def blocks(page: str) -> list[Block]:
    """All of a page's, in order."""
    found = re.finditer(r"^```(\S*) ?(.*)\n((?:.*\n)*?)```$", page, re.MULTILINE)
    return [Block(page.count("\n", 0, each.start()) + 1, *each.groups()) for each in found]


def alike(told: Any, shown: Any, name: str = "") -> bool:
    """Whether two answers have the same fields and kinds, however many labels there are and whichever they are."""
    if isinstance(told, dict) and isinstance(shown, dict):
        if told.get("status", 0) in range(400, 600) or isinstance(told.get("error_type"), str):
            return told == shown  # a failure says what is shown, word for word
        counts = name == "labels" and all(isinstance(each, float) for each in (*told.values(), *shown.values()))
        return counts or (told.keys() == shown.keys() and all(alike(told[key], shown[key], key) for key in told))
    if isinstance(told, list) and isinstance(shown, list):
        return not told or not shown or alike(told[0], shown[0])
    number = (int, float)
    return type(told) is type(shown) or (type(told) in number and type(shown) in number)


@dataclass
class Reader:
    """Somebody who does what a page says, in a ``folder``, beside a ``server`` that runs where the page says."""

    server: Server
    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "page"})
    left_out: list[str] = field(default_factory=list)

    def run(self, block: Block) -> None:
        """Do what it says; raise ``AssertionError`` where something else comes out than is shown."""
        assert block.language in READ, f"nobody knows how to run {block.language or 'a block without a language'!r}"
        if block.name:
            (self.folder / block.name).write_text(block.text, encoding="utf-8")
        READ[block.language](self, block.text)

    def here(self, text: str) -> str:
        """With the address of our server."""
        return text.replace(f"http://{ADDRESS}", self.server.url).replace(ADDRESS, self.server.url.partition("//")[2])

    def python(self, text: str) -> None:
        """Run a program, or a session whose answers are shown."""
        if THEIRS.search(text):
            self._with_their_client(text)
        elif text.startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(text, self.names, "page", None, 0)
            wrong: list[str] = []
            with self._at_home():
                doctest.DocTestRunner(verbose=False).run(test, out=wrong.append, clear_globs=False)
            self.names |= test.globs
            assert not wrong, "".join(wrong)
        else:
            with self._at_home():
                exec(compile(self.here(text), "page", "exec"), self.names)

    def _with_their_client(self, text: str) -> None:
        if not CLIENTS.exists():
            self.left_out.append("clients have an environment of their own: make clients")
            return
        command = [str(CLIENTS), "-c", self.here(text)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=True)
        assert "sports" in run.stdout or "politics" in run.stdout

    def shell(self, text: str) -> None:
        """Do each line."""
        for line in re.sub(r"\\\n", " ", text).splitlines():
            if shlex.split(line, comments=True):
                self._do(line)

    def console(self, text: str) -> None:
        """Do what stands behind each ``$``, and compare what comes out with what stands below."""
        for each in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, answer = re.fullmatch(r"((?:.*\\\n)*.*)\n((?:.*\n)*)", each).groups()  # type: ignore[union-attr]
            assert answer, f"no answer is shown: {command}"
            told = self._do(command.replace("\\\n", " "), answer)
            assert _same(told, answer), f"{command}\ngave\n{told}\nand shown is\n{answer}"

    def _do(self, line: str, shown: str = "") -> str:
        """What a command writes, of which the page has ``shown``."""
        words = shlex.split(line, comments=True)
        said = {}
        while re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            said[name.removeprefix(PREFIX).lower()] = value
        Settings(**said)
        command, *arguments = words
        match Path(command).name:
            case "docket":
                return self._docket(arguments, shown)
            case "curl" if shutil.which("curl") is None:
                self.left_out.append("curl is not installed")
                return shown
            case "curl":
                run = subprocess.run(
                    ["bash", "-c", self.here(line)],
                    capture_output=True, text=True, cwd=self.folder, timeout=WAIT_SECONDS, check=True,
                )  # fmt: skip
                return run.stdout
            case "make":
                _make(arguments)
            case "torchrun":
                docket._parser().parse_args(["train", *arguments[arguments.index("training") + 1 :]])
            case "pip":
                assert arguments[0] == "install"
                assert all((ROOT / each).exists() for each in arguments if each.startswith("."))
            case _:
                raise AssertionError(f"nobody knows how to run {command!r}")
        return ""

    def _docket(self, arguments: list[str], shown: str) -> str:
        """Run it; what takes long or needs a cluster is read as the command line reads it, and run if it is refused."""
        docket._parser().parse_args(arguments)
        refused = shown.startswith("docket: ")
        if (arguments[0] in TAKES_LONG and not refused) or "ray" in arguments:
            return ""
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), self._at_home():
            code = docket.main(arguments)
        told = out.buffer.getvalue().decode()  # type: ignore[attr-defined]
        assert code == (2 if refused else 0), told
        return told

    @contextlib.contextmanager
    def _at_home(self) -> Iterator[None]:
        """In the folder; and a signal that a command has caught for itself is ours again."""
        before = signal.getsignal(signal.SIGTERM)
        try:
            with contextlib.chdir(self.folder):
                yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def queries(self, text: str) -> None:
        """Each line asks Prometheus for metrics that the service shows."""
        families = text_string_to_metric_families(self.server.get("/metrics").text)
        shown = {sample.name for family in families for sample in family.samples}
        for line in text.splitlines():
            assert metric_names(line)
            assert metric_names(line) <= shown

    def lines_of_json(self, text: str) -> None:
        """Each line is JSON."""
        for line in text.splitlines():
            json.loads(line)

    def nothing(self, text: str) -> None:
        """It is for people, or a file that commands below read."""


READ: dict[str, Callable[[Reader, str], object]] = {
    "python": Reader.python,
    "sh": Reader.shell,
    "console": Reader.console,
    "promql": Reader.queries,
    "json": lambda _, text: json.loads(text),
    "jsonl": Reader.lines_of_json,
    "yaml": lambda _, text: yaml.safe_load(text),
    "csv": Reader.nothing,
    "text": Reader.nothing,
}


def _same(told: str, shown: str) -> bool:
    """Sentences word for word, JSON by its form, headers by their names."""
    if shown.startswith("HTTP/"):
        first, *headers = ([line.partition(":")[0] for line in text.strip().splitlines()] for text in (told, shown))
        return [first] == headers
    pairs = list(zip(told.splitlines(), shown.splitlines(), strict=True))
    return all(alike(*map(json.loads, pair)) if pair[1][0] in "{[" else pair[0] == pair[1] for pair in pairs)


def _make(arguments: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for each in arguments:
        name, given, _ = each.partition("=")
        assert name == "…" or re.search(rf"^{name} \?=" if given else rf"^{name}:", makefile, re.MULTILINE), each
