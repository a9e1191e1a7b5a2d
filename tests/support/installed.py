"""Trains, serves and asks a service with the installed wheels alone, for ``make test-wheels``."""

import json
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from docket_client import Client

DOCKET = Path(sys.executable).with_name("docket")
TOPICS = {"sports": ("goal", "match", "team", "cup"), "politics": ("vote", "law", "minister", "party")}


def docket(*arguments: object, folder: Path) -> str:
    """Run a command in ``folder`` and return what it writes to stdout."""
    command = [str(DOCKET), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, timeout=300, check=True).stdout


def main() -> None:
    """Fail loudly where the wheels lack something, or hold something else than what runs."""
    allowed = {"app", "model", "scoring", "training", "docket.py", "docket_client"}
    for name in ("docket-classifier", "docket-classifier-client"):
        files = {path.parts[0] for path in metadata.files(name) or []}
        packages = {part for part in files if ".dist-info" not in part and part not in ("..", "__pycache__")}
        assert packages <= allowed, f"{name} installs {packages - allowed} too"
    with tempfile.TemporaryDirectory() as there:
        folder = Path(there)
        rows = [
            f"a {word} and {number},{label}" for label, words in TOPICS.items() for word in words for number in range(8)
        ]
        (folder / "made.csv").write_text("\n".join(["text,label", *rows, ""]), encoding="utf-8")
        assert docket("--version", folder=folder) == f"docket {metadata.version('docket-classifier')}\n"
        docket("train", "made.csv", "--out", "artifact", "--epochs", 2, folder=folder)
        scores = json.loads(docket("evaluate", "artifact", "made.csv", "--json", folder=folder))
        assert scores["documents"] == len(rows)
        serve = [str(DOCKET), "serve", "artifact", "--port", "0", "--workers", "1"]
        with subprocess.Popen(serve, cwd=folder, stderr=subprocess.PIPE, text=True) as service:
            try:
                assert service.stderr is not None
                url = next(found[0] for line in service.stderr if (found := re.search(r"http://\S+", line)))
                with Client(url) as client:
                    answer = client.predict("the team won the cup", top_k=2)
            finally:
                service.terminate()
        assert answer.label in TOPICS, answer
    print(f"the wheels train, evaluate, serve and ask: {answer.label}, {answer.score:.3f}")


if __name__ == "__main__":
    main()
