import math

import pytest

from training.progress import Epoch, ProgressBars

EPOCH = Epoch(1, 1.23456, 0.98765, 0.5, 1234.5)
NO_SCORES = EPOCH._replace(held_out_loss=math.nan, held_out_accuracy=math.nan)


def test_a_log_has_one_line_for_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    """An epoch without held-out documents has no scores of them."""
    with ProgressBars() as bars:
        bars.begin_run("fold 1", epochs=4, documents=10)
        bars.advance("fold 1", 10, 1.2)
        bars.end_epoch("fold 1", EPOCH)
        bars.end_epoch("fold 1", NO_SCORES._replace(number=4))
    out, err = capsys.readouterr()
    assert out == ""
    first, last = err.splitlines()
    assert first.startswith(
        "fold 1, epoch 1 of 4: loss 1.2346, held-out loss 0.9877, accuracy 0.5000, 1,234 documents/s, "
    )
    assert last == "fold 1, epoch 4 of 4: loss 1.2346, 1,234 documents/s, 0 s left at most"


def test_a_terminal_shows_a_bar_with_loss_accuracy_and_speed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes stderr for a terminal
    monkeypatch.setenv("COLUMNS", "200")
    with ProgressBars() as bars:
        bars.begin_run("[red]fold[/] :smile:", epochs=2, documents=10)
        bars.advance("[red]fold[/] :smile:", 10, 1.25)
        bars.end_epoch("[red]fold[/] :smile:", EPOCH)
        bars.advance("[red]fold[/] :smile:", 10, 0.75)
    out, err = capsys.readouterr()
    assert out == ""
    assert "[red]fold[/] :smile:" in err
    assert "epoch 2 of 2 · loss 0.750 · accuracy 0.5000 · " in err
    assert "documents/s" in err
    assert "epoch 1 of 2: " not in err
