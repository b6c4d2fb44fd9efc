from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fake_daemon import FakeDaemon

from hivelet.cli.top.screen import TopOptions, render
from hivelet.cli.top.table import rows_json, table_lines
from hivelet.cli.top.usage import Look, cpu_percent, memory_in_use, sort_rows, usage_rows

NOW = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


def stats(second: int, cpu: int, memory: int = 3 << 20, **details: int) -> dict[str, Any]:
    return {
        "read": f"2026-01-01T00:00:{second:02}.000000000Z",
        "cpu_stats": {"cpu_usage": {"total_usage": cpu}},
        "memory_stats": {"usage": memory, "limit": 64 << 20, "stats": details},
    }


def task(slot: int, state: str = "running", container: str = "", err: str = "") -> dict[str, Any]:
    status = {
        "State": state,
        "Timestamp": "2026-01-01T00:00:30Z",
        "ContainerStatus": {"ContainerID": container},
        "Err": err,
    }
    return {"ID": f"t{slot}{state}", "ServiceID": "s", "Slot": slot, "Status": status}


SERVICE = {
    "ID": "s",
    "Spec": {"Name": "app_web"},
    "ServiceStatus": {"RunningTasks": 1, "DesiredTasks": 2},
}
OTHER = {"ID": "o", "Spec": {"Name": "app_db"}}


def looks() -> tuple[Look, Look]:
    tasks = (task(1, container="c1"), task(2, "starting", err="not ready yet"), task(2, "failed"))
    before = Look(services=(SERVICE, OTHER), tasks=tasks, stats={"c1": stats(1, 0)})
    now = Look(
        services=(SERVICE, OTHER),
        tasks=tasks,
        stats={"c1": stats(3, 500_000_000, inactive_file=1 << 20)},
        connections={"t1running": (2, 5)},
    )
    return before, now


def test_rows() -> None:
    rows = usage_rows(*looks(), NOW)
    assert table_lines(rows, with_tasks=True) == [
        "NAME          TASKS     CPU %     MEMORY         CONNECTIONS      STATE",
        "app_db        0/0       -         -              -",
        "app_web       1/2       25.0      2MiB           2 busy, 5 idle   1 failed",
        "  app_web.1             25.0      2MiB / 64MiB   2 busy, 5 idle   running 30 seconds",
        "  app_web.2             -         -              -                starting 30 seconds: not ready yet",
    ]
    assert len(table_lines(rows, with_tasks=False)) == 3
    assert [row.name for row in sort_rows(rows, "cpu")] == ["app_web", "app_db"]
    assert [row.name for row in sort_rows(rows, "memory")] == ["app_web", "app_db"]
    web = rows_json(rows)[1]
    assert (web["CPUPercent"], web["Connections"]) == (25.0, {"Busy": 2, "Idle": 5})
    assert web["Tasks"][1]["MemoryBytes"] is None


@pytest.mark.parametrize(
    ("before", "now"), [(None, stats(1, 5)), (stats(1, 5), None), (stats(2, 5), stats(2, 9))]
)
def test_no_rate_without_two_readings(before: Any, now: Any) -> None:
    assert cpu_percent(before, now) is None


def test_a_container_that_was_restarted_has_no_negative_rate() -> None:
    assert cpu_percent(stats(1, 900), stats(2, 1)) == 0.0


def test_memory_of_both_generations_of_control_groups() -> None:
    assert memory_in_use(stats(1, 0, 10, total_inactive_file=4)) == 6
    assert memory_in_use(stats(1, 0, 10, inactive_file=3)) == 7
    assert memory_in_use(stats(1, 0, 10, inactive_file=30)) == 10


def test_the_screen_says_what_does_not_fit() -> None:
    from rich.console import Console, ConsoleDimensions

    rows = usage_rows(*looks(), NOW)
    console = Console(width=120, height=6, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(render(rows, TopOptions(), ConsoleDimensions(120, 6)))
    said = capture.get()
    assert "2 services, 1 of 2 tasks run" in said
    assert "2 more lines do not fit; Ctrl-C ends it" in said
    with console.capture() as capture:
        size = ConsoleDimensions(120, 40)
        console.print(render(rows, TopOptions(), size, note="no daemon answers; trying again"))
    assert "trying again" in capture.get()


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (10, "NAME"),
        (20, "NAME TASKS"),
        (26, "NAME TASKS CPU %"),
        (40, "NAME TASKS CPU % MEMORY"),
        (60, "NAME TASKS CPU % MEMORY CONNECTIONS STATE"),
        (200, "NAME TASKS CPU % MEMORY CONNECTIONS STATE"),
    ],
)
def test_columns_go_from_the_right_on_a_narrow_screen(width: int, titles: str) -> None:
    from rich.console import Console, ConsoleDimensions

    rows = usage_rows(*looks(), NOW)
    console = Console(width=width, height=20, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(render(rows, TopOptions(), ConsoleDimensions(width, 20)))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= width
    (at,) = (number for number, line in enumerate(lines) if line.startswith("NAME"))
    assert " ".join(lines[at].split()) == titles
    whole = table_lines(rows, with_tasks=True)[1:]
    names = [line[: len("  app_web.2")].rstrip()[:width] for line in whole]
    if width > len("  app_web.2"):
        shown = lines[at + 1 : at + 1 + len(whole)]
        assert [line[: len("  app_web.2")].rstrip() for line in shown] == names


def test_on_the_command_line(daemon: FakeDaemon, hivelet, clock) -> None:
    missing = hivelet("stack", "top", "--once", "nope")
    assert (missing.code, missing.err) == (1, "Error: nothing found in stack: nope\n")
    daemon.add_service(
        {
            "Name": "web",
            "TaskTemplate": {"ContainerSpec": {"Image": "x"}},
            "Mode": {"Replicated": {"Replicas": 1}},
        }
    )
    result = hivelet("stack", "top", "--once")
    assert result.code == 0
    assert result.out.splitlines()[1].split() == ["web", "1/1", "-", "-", "-"]
    assert clock.now == 101.0
    assert '"Name": "web"' in hivelet("stack", "top", "--format", "json").out
