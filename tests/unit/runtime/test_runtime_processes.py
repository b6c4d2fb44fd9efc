import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from hivelet.runtime.host import parse_kernel_version
from hivelet.runtime.processes import (
    ProcessRecord,
    boot_id,
    open_process,
    parse_start_time,
    read_record,
    start_time,
    write_record,
)


def record(**changes):
    given = {
        "boot": boot_id(),
        "runtime_name": "runc",
        "runtime_path": "/usr/sbin/runc",
        "runtime_root": "/r",
        "pid": 1,
        "pid_started": 2,
        "conmon_pid": 3,
        "conmon_started": 4,
        **changes,
    }
    return ProcessRecord(**given)


@pytest.mark.parametrize("name", ["sh", "a b", "a) b", ") R 1 (("])
def test_start_time_whatever_the_name(name):
    fields = " ".join(str(number) for number in range(4, 53))
    assert parse_start_time(f"7 ({name}) S {fields}".encode()) == 22


def test_record_comes_back(tmp_path):
    path = tmp_path / "record.json"
    write_record(path, record(started=True))
    assert read_record(path) == record(started=True)
    assert record().replaced(paused=True) == record(paused=True)
    assert record(started=True).replaced(paused=True).started


def test_record_of_another_boot_is_none(tmp_path):
    path = tmp_path / "record.json"
    write_record(path, record(boot="before"))
    assert read_record(path) is None
    assert read_record(tmp_path / "missing") is None
    path.write_text("{}")
    assert read_record(path) is None


def test_a_process_is_known_by_its_start_time():
    mine = start_time(os.getpid())
    assert mine is not None
    pidfd = open_process(os.getpid(), mine)
    assert pidfd is not None
    os.close(pidfd)
    assert open_process(os.getpid(), mine + 1) is None


def test_a_gone_process_is_none():
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    assert start_time(child.pid) is None
    assert open_process(child.pid, 1) is None


def test_record_is_json(tmp_path):
    write_record(tmp_path / "r", record())
    assert msgspec.json.decode(Path(tmp_path / "r").read_bytes())["pid"] == 1


@pytest.mark.parametrize(
    ("release", "version"),
    [("6.1.0-18-amd64", (6, 1)), ("4.19", (4, 19)), ("5.15.0+", (5, 15)), ("odd", (0, 0))],
)
def test_kernel_version(release, version):
    assert parse_kernel_version(release) == version
