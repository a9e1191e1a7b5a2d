import io
import sys

import pytest

from scoring import progress


def test_a_terminal_shows_how_many_documents_are_answered_and_how_fast(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # how rich is told that it writes to a terminal
    monkeypatch.setenv("COLUMNS", "200")
    with progress.show_progress("data[/old]/\x1btickets.csv", lambda: 0.5) as answered:
        answered(1_000)
        answered(234)
    out, err = capsys.readouterr()
    assert out == ""
    assert "data[/old]/\\x1btickets.csv" in err
    assert "1,234 documents" in err
    assert "a second" in err


@pytest.mark.parametrize("rich", [True, False])
def test_where_nobody_watches_or_rich_is_not_there_nothing_is_shown(monkeypatch, rich):
    if not rich:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress.show_progress("tickets.csv", lambda: None) as answered:
        answered(1_000)
    assert sys.stderr.getvalue().strip() == ""
