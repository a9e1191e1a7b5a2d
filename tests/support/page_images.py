"""``python -m tests.support.page_images ARTIFACT`` takes the pictures of docs/: the page with the demo's artifact."""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from tests.page.conftest import BROWSER, MISSING, running_browser
from tests.support.service import WAIT_SECONDS, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDE, NARROW = {"width": 1180, "height": 1000}, {"width": 360, "height": 800}
DOCUMENT = """The club that built its own stadium app

For a hundred years the fans of Harbour United have bought their tickets at a wooden window behind the north stand. On \
Saturday, before the cup match against the league leaders, most of them held up a phone instead.

The software was written in eight months by two supporters who work for a chip maker in the town. It sells tickets, \
shows replays a minute after each goal, and lets the coach send a short video to season-ticket holders on the eve of a \
game. "We did not want to rent a platform that belongs to somebody else," said one of the developers. "A club of our \
size cannot pay for that, and it should not give its data away."

The match itself ended 2-1 after a late goal in injury time. Nobody at the gate had to wait longer than a minute, and \
the broadband line held.

Other clubs in the division have asked whether they may use the program. The board will decide next month; the code, \
it says, should stay free.
"""
SENTENCES = (
    ("The striker scored twice in the second half.", "The coach praised the defence after the match."),
    ("She won the final in straight sets.", "The captain will miss the rugby match with an injured knee."),
    ("The minister told MPs that the bill will be voted on.", "The party denied that it had promised lower taxes."),
    ("Shares in the airline fell.", "The bank expects economic growth to slow, and profits too."),
    ("The film took two awards, and its director thanked the actors.", "The band's album went to number one."),
    ("Users of the software were told of a virus.", "The phone maker sells a player for music from broadband."),
    ("The company said that sales rose.", "The price of oil fell on the markets."),
)
"""Two each of a kind, so that a row is about one thing."""
BROKEN = {6: '7,"no end,high', 1203: "1204"}
"""Rows of the file that cannot be read, by their place."""


def main(artifact: Path) -> None:
    """Take all of them."""
    if BROWSER is None:
        sys.exit(f"images: {MISSING}")
    with running_browser() as browser, running_server(artifact) as server:
        for name, options in (
            ("document", {"viewport": WIDE}),
            ("document-dark", {"viewport": WIDE, "color_scheme": "dark"}),
            ("document-narrow", {"viewport": NARROW}),
        ):
            page = _open(browser, server.url, **options)
            _classify(page)
            page.screenshot(path=IMAGES / f"{name}.png", full_page=True)
        page = _open(browser, server.url, viewport=WIDE)
        _score(page)
        page.screenshot(path=IMAGES / "file.png")
        _show_card(page)
        page.screenshot(path=IMAGES / "model.png", full_page=True)
    for path in IMAGES.glob("*.png"):  # a palette of 256 colours is a third of the bytes
        Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)


def _open(browser: Any, url: str, **options: Any) -> Any:
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(WAIT_SECONDS * 1000)
    page.goto(url)
    return page


def _classify(page: Any) -> None:
    page.fill("#text", DOCUMENT)
    page.click("text=Classify")
    page.wait_for_selector(".text span")
    page.hover(".text .for >> text=cup")
    page.eval_on_selector("#text", "area => area.scrollTo(0, 0)")


def _score(page: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tickets.csv"
        path.write_text("\n".join(["id,text,priority", *itertools.islice(_rows(), 3000)]) + "\n", encoding="utf-8")
        page.click("#tab-file")
        page.set_input_files("#pick", path)
        page.wait_for_selector("a[download]")


def _rows() -> Iterator[str]:
    for number, (first, second) in enumerate(itertools.cycle(SENTENCES)):
        yield BROKEN.get(number, f'{number + 1},"{first} {second}",low')


def _show_card(page: Any) -> None:
    page.click("#tab-model")
    page.wait_for_selector("#card h2")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
