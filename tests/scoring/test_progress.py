import sys

import pytest

from scoring import progress


def test_a_terminal_shows_the_number_of_scored_documents_and_the_speed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes stderr for a terminal
    monkeypatch.setenv("COLUMNS", "200")
    with progress.show_progress("data[/old]/[red]\x1btickets.csv", lambda: 0.5) as add_documents:
        add_documents(1_000)
        add_documents(234)
    out, err = capsys.readouterr()
    assert out == ""
    assert "data[/old]/[red]\\x1btickets.csv" in err
    assert "1,234 documents · " in err
    assert "a second" in err


@pytest.mark.parametrize("has_rich", [True, False])
def test_without_a_terminal_or_without_rich_no_progress_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, has_rich: bool
) -> None:
    if not has_rich:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    with progress.show_progress("tickets.csv", lambda: None) as add_documents:
        add_documents(1_000)
    assert capsys.readouterr().err.strip() == ""
