"""``python -m tests.support.page_images ARTIFACT`` takes the pictures of docs/: the page with the demo's artifact."""

from __future__ import annotations

import sys
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from PIL import Image

from tests.page.conftest import BROWSER, MISSING, running_browser, score_file
from tests.support.service import WAIT_SECONDS, running_server

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDE, NARROW = {"width": 1180, "height": 1000}, {"width": 360, "height": 800}
DOCUMENT = """The club that built its own stadium app

For a hundred years the fans of Harbour United have bought their tickets at a wooden window behind the north stand. On \
Saturday, before the cup match against the league leaders, most of them held up a phone instead.

Two supporters who work for a chip maker wrote the software in eight months. It sells tickets, shows replays a minute \
after each goal, and lets the coach send a short video to season-ticket holders on the eve of a game.

The match itself ended 2-1 after a late goal in injury time. The board will decide next month whether other clubs may \
use the program.
"""
TEXTS = (
    "The striker scored twice in the second half. The coach praised the defence after the match.",
    "The minister told MPs that the bill will be voted on. The party denied that it had promised lower taxes.",
    "Shares in the airline fell. The bank expects economic growth to slow, and profits too.",
    "The film took two awards, and its director thanked the actors. The band's album went to number one.",
    "Users of the software were told of a virus. The phone maker sells a player for music from broadband.",
)
BROKEN = {6: '7,"no end,high', 1203: "1204"}
"""Rows of the file that cannot be read, by their number."""


def main(artifact: Path) -> None:
    """Take all pictures."""
    if BROWSER is None:
        sys.exit(f"images: {MISSING}")
    with running_browser() as browser, running_server(artifact) as server:
        for name, options in (
            ("document", {"viewport": WIDE}),
            ("document-dark", {"viewport": WIDE, "color_scheme": "dark"}),
            ("document-narrow", {"viewport": NARROW}),
        ):
            page = _open(browser, server.url, **options)
            page.fill("#text", DOCUMENT)
            page.click("text=Classify")
            page.wait_for_selector(".text span")
            page.hover(".text .for >> text=cup")
            page.eval_on_selector("#text", "area => area.scrollTo(0, 0)")
            page.screenshot(path=IMAGES / f"{name}.png", full_page=True)
        page = _open(browser, server.url, viewport=WIDE)
        rows = [BROKEN.get(n, f'{n + 1},"{text}",low') for n, text in enumerate(islice(cycle(TEXTS), 3000))]
        score_file(page, "tickets.csv", "\n".join(["id,text,priority", *rows, ""]))
        page.screenshot(path=IMAGES / "file.png")
        page.click("#tab-model")
        page.wait_for_selector("#card h2")
        page.screenshot(path=IMAGES / "model.png", full_page=True)
    for path in IMAGES.glob("*.png"):  # a palette of 256 colours is a third of the bytes
        Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)


def _open(browser: Any, url: str, **options: Any) -> Any:
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(WAIT_SECONDS * 1000)
    page.goto(url)
    return page


if __name__ == "__main__":
    main(Path(sys.argv[1]))
