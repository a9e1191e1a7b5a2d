"""The measured servers, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmarks.fleet import SERVERS
from benchmarks.standings import Row, measured, median
from training.report.figures import svg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PANELS: tuple[tuple[str, int, Callable[[Row], float], str], ...] = (
    ("requests/s at 64 connections", 64, lambda row: row.rate, ",.0f"),
    ("99 of 100 answered within, ms, at 64", 64, lambda row: row.p99, ",.0f"),
    ("half answered within, ms, at 1", 1, lambda row: row.p50, ".1f"),
    ("CPU s per 1,000 requests at 64", 64, lambda row: row.cost, ".2f"),
)


def write(out: Path, rows: Sequence[Row]) -> None:
    """servers.svg: medians of all that has been measured."""
    with rc_context({"svg.hashsalt": "servers"}):  # the same rows, the same file
        (out / "servers.svg").write_text(svg(lambda: _drawn(rows)), encoding="utf-8")


def _drawn(rows: Sequence[Row]) -> Figure:
    shown = [server for server in reversed(SERVERS) if measured(rows, server, 64)]
    figure = Figure(figsize=(12, 1 + 0.35 * len(shown)), layout="constrained")
    colors = ["C0" if server is SERVERS[0] else "0.7" for server in shown]
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (title, connections, value, digits) in zip(panels, PANELS, strict=True):
        medians = [median(measured(rows, server, connections), value) for server in shown]
        bars = axes.barh([server.title for server in shown], medians, color=colors)
        axes.bar_label(bars, [format(number, digits) for number in medians], padding=3, fontsize=8)
        axes.set_title(title, fontsize=9)
        axes.set_xlim(0, 1.25 * max(medians, default=1))
        axes.set_xticks([])
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    return figure
