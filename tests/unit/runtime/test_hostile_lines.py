"""What others may name as they like, and the kernel or a program then lists: a name makes no line of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.engine.readings.processes import read_processes, select_processes
from hivelet.errors import InvalidParameter
from hivelet.runtime import cgroupfs
from hivelet.runtime.mountinfo import parse_mountinfo

BREAKS = ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"]


@pytest.mark.parametrize("mark", [*BREAKS, "\udcff"])
def test_a_mount_with_an_odd_name_is_one(mark: str, monkeypatch, tmp_path) -> None:
    name = f"/mnt/a{mark}b"
    odd = f"40 1 8:1 / {name} rw shared:1 - ext4 /dev/a rw\n"
    groups = "41 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    data = (odd + groups).encode(errors="surrogateescape")
    assert [entry.target for entry in parse_mountinfo(data)] == [name, "/sys/fs/cgroup"]
    (tmp_path / "mountinfo").write_bytes(data)
    monkeypatch.setattr(cgroupfs, "_MOUNTINFO", tmp_path / "mountinfo")
    assert cgroupfs.read_cgroup_tree().version == 2


@pytest.mark.parametrize("mark", BREAKS)
def test_a_process_with_an_odd_name_is_one(mark: str) -> None:
    text = f"PID CMD\n1 a{mark}2 forged\n3 c\n"
    assert select_processes(text, {1, 2, 3}).processes == [["1", f"a{mark}2 forged"], ["3", "c"]]


@pytest.mark.parametrize("words", ["'", "-o nonsense", "--nonsense", "a\0b", "\udc00", "-o cmd"])
async def test_what_ps_does_not_take_is_refused(words: str) -> None:
    with pytest.raises(InvalidParameter):
        await read_processes({1}, words)


@given(st.text(max_size=60), st.sets(st.integers(0, 9), max_size=3))
def test_any_output_of_ps_is_read_or_refused(text: str, pids: set[int]) -> None:
    try:
        table = select_processes(text, pids)
    except InvalidParameter:
        return
    assert "PID" in table.titles
