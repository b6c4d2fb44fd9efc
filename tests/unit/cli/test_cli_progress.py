from __future__ import annotations

import io

import pytest

from hivelet.cli.convergence import Progress, SlotProgress
from hivelet.cli.progress import make_reporter, one_line
from hivelet.cli.session import Session


class Terminal(Session):
    interactive = True  # type: ignore[assignment]


def slot(state: str, error: str = "", label: str = "1/1") -> SlotProgress:
    return SlotProgress(label=label, state=state, error=error)


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (
            Progress(running=1, wanted=3, slots=(slot("running"), slot("pending"), slot("ready"))),
            "1/3 pending",
        ),
        (Progress(running=0, wanted=1), "0/1 new"),
        (Progress(wanted=1, slots=(slot("pending", "no suitable node"),)), "0/1 no suitable node"),
        (
            Progress(wanted=1, failures=2, last_error="task: non-zero exit (1)"),
            "0/1 after 2 failed: task: non-zero exit (1)",
        ),
        (Progress(running=1, wanted=1, verifying=3.0), "1/1 running, verifying"),
        (Progress(running=1, wanted=1, outcome="converged"), "1/1 converged"),
        (
            Progress(wanted=1, outcome="failed", why="the service was removed"),
            "0/1 failed: the service was removed",
        ),
        (Progress(wanted=2, rolling_back=True), "0/2 rolling back"),
    ],
)
def test_one_line(progress: Progress, text: str) -> None:
    assert one_line(progress) == text


def test_plain_lines_are_printed_when_something_has_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reporter = make_reporter(Session(environment={"TERM": "dumb"}), quiet=False, several=False)
    for _ in range(2):
        reporter.show("web", Progress(wanted=1, slots=(slot("preparing"),)))
    reporter.show(
        "web",
        Progress(
            running=1,
            wanted=1,
            slots=(slot("running"),),
            outcome="converged",
            why="Service web converged",
        ),
    )
    reporter.close()
    assert capsys.readouterr().out.splitlines() == [
        "overall progress: 0 out of 1 tasks",
        "1/1: preparing",
        "overall progress: 1 out of 1 tasks",
        "1/1: running",
        "verify: Service web converged",
    ]


def test_bars_show_text_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brackets are no markup: neither those of the bar nor those of an error."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    reporter = make_reporter(Terminal(environment={}), quiet=False, several=False)
    reporter.show(
        "web",
        Progress(wanted=2, slots=(slot("ready", label="1/2"), slot("new", "[red]no[/red]", "2/2"))),
    )
    reporter.close()
    shown = stream.getvalue()
    assert "overall progress: 0 out of 2 tasks" in shown
    assert "1/2: ready     [======================================>           ]" in shown
    assert "2/2: [red]no[/red]" in shown


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = make_reporter(Session(environment={}), quiet=True, several=True)
    reporter.show("web", Progress(wanted=1))
    reporter.close()
    assert capsys.readouterr().out == ""
