from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hivelet.cli.logs.lines import LogLine, Printer, after, parse_line, parse_lines, task_label
from hivelet.cli.logs.streams import Following, merged
from hivelet.errors import Unavailable

ORIGIN = "com.docker.swarm.node.id=n,com.docker.swarm.service.id=s,com.docker.swarm.task.id=t1"


def line(moment: int, text: str = "", task: str = "t") -> LogLine:
    return LogLine(moment=f"2026-01-01T00:00:{moment:02}.000000000Z", task_id=task, text=text)


def test_a_line_is_taken_apart() -> None:
    found = parse_line(2, f"2026-01-01T00:00:00.000000001Z {ORIGIN} hello  world")
    assert found == LogLine(moment="2026-01-01T00:00:00.000000001Z", task_id="t1", text="")
    assert (found.text, found.to_stderr, found.task_id) == ("hello  world", True, "t1")


def test_a_line_without_details_is_of_the_task_that_was_asked_for() -> None:
    found = parse_line(1, "2026-01-01T00:00:00Z a=b c", "t9")
    assert (found.task_id, found.text) == ("t9", "a=b c")


def test_frames_that_end_within_a_line_are_put_together() -> None:
    frames = [(1, b"m d=1 one\nm d=1 t"), (2, b"m d=1 err\n"), (1, b"wo\r\n"), (1, b"m d=1 rest")]
    texts = [(each.text, each.to_stderr) for each in parse_lines(frames)]
    assert texts == [
        ("d=1 one", False),
        ("d=1 err", True),
        ("d=1 two", False),
        ("d=1 rest", False),
    ]


@pytest.mark.parametrize(
    ("task", "nodes", "label"),
    [
        ({"Slot": 2, "NodeID": "n"}, {"n": "one"}, "web.2"),
        ({"Slot": 2, "NodeID": "n"}, {"n": "one", "m": "two"}, "web.2@one"),
        ({"NodeID": "n"}, {"n": "one"}, "web.one"),
        ({"NodeID": "gone"}, {"n": "one"}, "web.gone"),
    ],
)
def test_labels(task: Any, nodes: Any, label: str) -> None:
    assert task_label(task, "app_web", "app", nodes) == label


def test_printing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    printer = Printer(width=6)
    assert printer.render(line(1, "x"), "db.1") == "db.1   | x"
    assert Printer(prefix=False, timestamps=True).render(line(1, "x"), "db.1") == (
        "2026-01-01T00:00:01.000000000Z x"
    )
    monkeypatch.delenv("NO_COLOR")
    coloured = Printer()
    assert coloured.render(line(1), "a.1")[:5] != coloured.render(line(1), "b.1")[:5]


def test_logs_are_merged_by_time() -> None:
    reads = {
        "a": lambda: iter([line(1), line(4), line(5)]),
        "b": lambda: iter([line(2), line(3), line(6)]),
        "c": lambda: iter([]),
    }
    moments = [each.moment[17:19] for each in merged(reads, patience=5, complain=pytest.fail)]
    assert moments == ["01", "02", "03", "04", "05", "06"]


def test_a_log_that_hangs_or_fails_does_not_hold_up_the_others() -> None:
    released = threading.Event()

    def hanging() -> Iterator[LogLine]:
        yield line(1, "first")
        released.wait(30)

    def failing() -> Iterator[LogLine]:
        yield line(2, "second")
        raise Unavailable("the node is away")

    reads = {"one": hanging, "two": failing, "three": lambda: iter([line(3, "third")])}
    told: list[str] = []
    texts = [each.text for each in merged(reads, patience=0.3, complain=told.append)]
    released.set()
    assert texts == ["first", "second", "third"]
    assert sorted(told) == [
        "the log of one did not go on for 0.3 s; the rest of it is left out",
        "the log of two cannot be read: the node is away",
    ]


def test_what_is_followed_is_put_in_order_within_a_window() -> None:
    following = Following(time.monotonic)
    first_is_out = threading.Event()

    def late() -> Iterator[LogLine]:
        first_is_out.wait(10)
        yield line(1, "old")

    def early() -> Iterator[LogLine]:
        yield line(2, "new")
        first_is_out.set()

    following.add("a", late)
    following.add("b", early)
    found: list[str] = []
    limit = time.monotonic() + 20
    while len(found) < 2 and time.monotonic() < limit:
        found += [each.text for each in following.lines(0.2)]
    assert found == ["old", "new"]
    assert following.open == set()
    assert list(following.rest()) == []


@pytest.mark.parametrize(
    ("moment", "next_one"),
    [
        ("2026-01-01T00:00:01.000000000Z", "1767225601.000000001"),
        ("2026-01-01T00:00:01.999999999Z", "1767225602.000000000"),
        ("2026-01-01T00:00:01Z", "1767225601.000000001"),
    ],
)
def test_a_log_goes_on_after_its_last_line(moment: str, next_one: str) -> None:
    assert after(moment) == next_one
