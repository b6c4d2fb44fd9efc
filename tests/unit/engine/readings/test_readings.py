from datetime import UTC, datetime

import pytest

from hivelet.engine.readings.processes import select_processes
from hivelet.engine.readings.stats import parse_flat, parse_interfaces, read_stats
from hivelet.engine.system import describe_node, read_machine
from hivelet.errors import InvalidParameter

PS = """UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 10:00 ?        00:00:01 /sbin/init splash
root          42       1  0 10:00 ?        00:00:00 python manage.py runserver 0.0.0.0:8000
"""


def test_only_the_containers_processes_are_shown_and_commands_stay_whole():
    table = select_processes(PS, {42})
    assert table.titles[-1] == "CMD"
    assert [row[-1] for row in table.processes] == ["python manage.py runserver 0.0.0.0:8000"]


def test_without_pids_lines_cannot_be_told_apart():
    with pytest.raises(InvalidParameter, match="PID"):
        select_processes("CMD\nsh\n", {1})


def test_interface_counters():
    text = "Inter-|   Receive\n face |bytes\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 10 2 0 1 0 0 0 0 30 4 5 6 0 0 0 0\n"
    found = parse_interfaces(text)
    assert list(found) == ["eth0"]
    assert (
        found["eth0"].rx_bytes,
        found["eth0"].rx_dropped,
        found["eth0"].tx_bytes,
        found["eth0"].tx_dropped,
    ) == (
        10,
        1,
        30,
        6,
    )


def test_flat_files_keep_numbers_only():
    assert parse_flat("cache 10\nrss 20\nbroken\nname text\n") == {"cache": 10, "rss": 20}


@pytest.mark.parametrize("version", [1, 2])
def test_counters_of_both_cgroup_versions(tmp_path, version):
    if version == 1:
        files = {
            "cpuacct.usage": "5000",
            "memory.usage_in_bytes": "77",
            "pids.current": "3",
            "memory.stat": "cache 9",
        }
    else:
        files = {
            "cpu.stat": "usage_usec 5",
            "memory.current": "77",
            "pids.current": "3",
            "memory.stat": "cache 9",
        }
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    stats = read_stats((tmp_path,), 0, datetime(2026, 1, 1, tzinfo=UTC))
    assert (stats.cpu_total, stats.memory_usage, stats.pids, stats.cgroup_version) == (
        5000,
        77,
        3,
        version,
    )
    assert stats.memory == {"cache": 9}
    assert stats.memory_limit > 0
    assert stats.networks == {}


def test_a_node_describes_itself():
    described = describe_node(read_machine(), {"disk": "ssd"})
    assert described.resources.nano_cpus > 0
    assert described.resources.memory_bytes > 2**20
    assert described.engine.labels == {"disk": "ssd"}
    assert described.platform.os == "linux"
