"""The files of a log, against a writer that starts its file anew as conmon does."""

from __future__ import annotations

import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.objects.log import LogOptions
from hivelet.runtime.inotify import shared_inotify
from hivelet.runtime.log_files import begin_anew, held, keep_full, log_files, numbered
from hivelet.runtime.logs import read_log

STAMP = b"2026-01-02T03:04:05.123456789+00:00"


class Writer:
    """Conmon's way: a file that would grow beyond the limit is let go of, and another one takes its name."""

    def __init__(self, log, per_file):
        self.log, self.per_file, self.count = log, per_file, 0
        log.touch()

    def write(self, number):
        if self.count == self.per_file:
            fresh = self.log.with_name(self.log.name + ".tmp")
            fresh.write_bytes(b"")
            fresh.rename(self.log)
            self.count = 0
        with self.log.open("ab") as stream:
            stream.write(b"%s stdout F %d\n" % (STAMP, number))
        self.count += 1


async def read(log, files, **options):
    return [int(r.line) async for r in read_log(log, LogOptions(**options), files=files)]


def names(log):
    return sorted(path.name for path in log.parent.iterdir())


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


async def test_full_files_are_kept_up_to_their_number(log):
    writer = Writer(log, 3)
    keep_full(log, 3)
    for number in range(14):
        writer.write(number)
        keep_full(log, 3)
    assert names(log) == ["log", "log.1", "log.2", "log.held"]
    assert await read(log, 3) == list(range(6, 14))
    for tail in (0, 1, 2, 3, 5, 7, 8, 9, 100):
        assert await read(log, 3, tail=tail) == list(range(max(6, 14 - tail), 14))


async def test_nothing_is_kept_but_the_file_where_one_is_asked_for(log):
    writer = Writer(log, 3)
    for number in range(7):
        writer.write(number)
        keep_full(log, 1)
    assert names(log) == ["log"]
    assert await read(log, 1) == [6]


async def test_what_was_let_go_of_before_the_last_look_is_read_from_its_second_name(log):
    writer = Writer(log, 2)
    keep_full(log, 3)
    for number in range(3):
        writer.write(number)
    assert await read(log, 3) == [0, 1, 2]
    assert await read(log, 3, tail=2) == [1, 2]


@given(
    st.lists(st.sampled_from(["write", "keep", "start"]), max_size=60),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_whatever_comes_in_between_files_stay_few_and_in_order(
    tmp_path_factory, steps, files, per_file
):
    log = tmp_path_factory.mktemp("log") / "log"
    writer = Writer(log, per_file)
    for number, step in enumerate(steps):
        if step == "write":
            writer.write(number)
        elif step == "keep":
            keep_full(log, files)
        else:
            # Conmon counts from nothing after a start.
            begin_anew(log, per_file * 47, files)
            log.touch()
            writer.count = 0
    keep_full(log, files)
    found = log_files(log, files)
    assert len(found) <= files
    assert len({path.stat().st_ino for path in log.parent.iterdir()}) <= files
    numbers = asyncio.run(read(log, files))
    assert numbers == sorted(numbers)
    if files > 1 and "keep" not in steps and "start" not in steps:
        assert numbers[-1:] == ([len(steps) - 1] if steps else [])


def test_a_step_that_was_the_last_one_is_gone_on_with(log):
    for number, text in ((1, "b"), (3, "d")):
        numbered(log, number).write_text(text)
    held(log).write_text("a")
    log.write_text("new")
    keep_full(log, 5)
    assert [numbered(log, n).read_text() for n in (1, 2, 3)] == ["a", "b", "d"]
    assert held(log).samefile(log)


def test_a_log_that_is_full_before_a_start_is_put_away(log):
    log.write_bytes(b"x" * 100)
    begin_anew(log, 200, 2)
    assert names(log) == ["log", "log.held"]
    begin_anew(log, 100, 2)
    assert names(log) == ["log.1"]
    log.write_bytes(b"y" * 100)
    keep_full(log, 2)
    begin_anew(log, 100, 2)
    assert names(log) == ["log.1"]
    assert numbered(log, 1).read_bytes() == b"y" * 100
    begin_anew(log, 0, 2)
    log.write_bytes(b"z")
    begin_anew(log, 1, 1)
    assert not log.exists()


async def test_a_follower_reads_every_file_in_turn_and_leaves_nothing_open(log):
    writer = Writer(log, 5)
    keep_full(log, 4)
    before = set(os.listdir("/proc/self/fd"))
    end = asyncio.Event()
    seen: list[int] = []

    async def follow():
        async for record in read_log(log, LogOptions(follow=True), files=4, until_end=end.wait()):
            seen.append(int(record.line))  # noqa: PERF401 - it is looked at meanwhile

    following = asyncio.ensure_future(follow())
    for number in range(100):
        writer.write(number)
        keep_full(log, 4)
        if number % 12 == 0:
            async with asyncio.timeout(20):
                while len(seen) < number:
                    await asyncio.sleep(0)
    end.set()
    await following
    assert seen == list(range(100))
    shared_inotify().close()
    assert set(os.listdir("/proc/self/fd")) <= before


async def test_a_follower_that_is_too_slow_goes_on_with_what_there_is(log):
    writer = Writer(log, 2)
    keep_full(log, 2)
    writer.write(0)
    end = asyncio.Event()
    reading = read_log(log, LogOptions(follow=True), files=2, until_end=end.wait())
    seen = [int((await anext(reading)).line)]
    for number in range(1, 12):
        writer.write(number)
        keep_full(log, 2)
    end.set()
    seen += [int(record.line) async for record in reading]
    # The file that it was in is read to its end; those in between are not there any more.
    assert seen == [0, 1, 8, 9, 10, 11]
    shared_inotify().close()
