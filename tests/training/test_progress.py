import math

from training.progress import Epoch, ProgressBars, ProgressRelay

FIRST = Epoch(1, 1.23456, 0.98765, 0.5, 1234.5)


def test_where_nobody_watches_an_epoch_is_one_line(capsys):
    with ProgressBars() as bars:
        bars.begin_run("held out", epochs=4, documents=10)
        bars.advance("held out", 10, 1.2)
        bars.end_epoch("held out", FIRST)
        bars.end_epoch("held out", FIRST._replace(number=4))
    out, err = capsys.readouterr()
    assert out == ""
    first, last = err.splitlines()
    assert first.startswith(
        "held out, epoch 1 of 4: loss 1.2346, held-out loss 0.9877, accuracy 0.5000, 1,234 documents/s"
    )
    assert last.startswith("held out, epoch 4 of 4: ")
    assert last.endswith(", 0 s left at most")


def test_an_epoch_without_held_out_documents_tells_no_scores_of_them(capsys):
    with ProgressBars() as bars:
        bars.begin_run("all documents", epochs=1, documents=10)
        bars.advance("all documents", 10, 1.2)
        bars.end_epoch("all documents", FIRST._replace(held_out_loss=math.nan, held_out_accuracy=math.nan))
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "all documents, epoch 1 of 1: loss 1.2346, 1,234 documents/s, 0 s left at most"


def test_a_terminal_shows_a_bar_with_loss_accuracy_and_speed(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # how rich is told that it writes to a terminal
    monkeypatch.setenv("COLUMNS", "200")
    with ProgressBars() as bars:
        bars.begin_run("held out", epochs=2, documents=10)
        bars.advance("held out", 10, 1.25)
        bars.end_epoch("held out", FIRST)
        bars.advance("held out", 10, 0.75)
    out, err = capsys.readouterr()
    assert out == ""
    assert "held out" in err
    assert "epoch 2 of 2 · loss 0.750 · accuracy 0.5000 · " in err
    assert "documents/s" in err
    assert "epoch 1 of 2: " not in err


def test_another_process_shows_as_much_in_fewer_steps(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    told = []
    relay = ProgressRelay(lambda name, arguments: told.append((name, arguments)))
    relay.begin_run("held out", 2, 1000)
    for _ in range(1000):
        relay.advance("held out", 1, 0.5)
    relay.end_epoch("held out", FIRST)
    assert sum(arguments[1] for name, arguments in told if name == "advance") == 1000
    assert len(told) < 500
    assert told[-1] == ("end_epoch", ("held out", FIRST))
    with ProgressBars() as bars:
        for name, arguments in told:
            getattr(bars, name)(*arguments)
    assert "loss 1.235" in capsys.readouterr().err
