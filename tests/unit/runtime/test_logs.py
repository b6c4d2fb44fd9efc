"""The reader of logs, against files that a test writes as conmon would."""

import asyncio
import os

import pytest

from hivelet.objects.log import LogOptions
from hivelet.runtime.inotify import shared_inotify
from hivelet.runtime.logs import read_log

STAMP = b"2026-01-02T03:04:05.123456789+00:00"


def lines(*texts):
    return b"".join(b"%s stdout F %s\n" % (STAMP, text.encode()) for text in texts)


@pytest.fixture
async def log(tmp_path):
    yield tmp_path / "log"
    shared_inotify().close()


async def collect(path, options=None, until_end=None):
    return [
        record.line.decode().strip()
        async for record in read_log(path, options or LogOptions(), until_end=until_end)
    ]


async def test_a_missing_log_is_empty(log):
    assert await collect(log) == []
    assert await collect(log, until_end=asyncio.Event().wait()) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (LogOptions(), ["a", "b", "c"]),
        (LogOptions(tail=2), ["b", "c"]),
        (LogOptions(tail=0), []),
        (LogOptions(tail=9), ["a", "b", "c"]),
        (LogOptions(stdout=False), []),
        (LogOptions(until_ns=1), []),
    ],
)
async def test_snapshot(log, options, expected):
    log.write_bytes(lines("a", "b", "c"))
    assert await collect(log, options) == expected


async def test_tail_of_a_log_of_many_blocks(log):
    log.write_bytes(lines(*(str(number) for number in range(5000))))
    assert await collect(log, LogOptions(tail=3)) == ["4997", "4998", "4999"]


class Follower:
    """Follows a log; `until` returns when so many lines have been seen."""

    def __init__(self, path, options=None):
        self.seen = []
        self.end = asyncio.Event()
        self._more = asyncio.Event()
        self._work = asyncio.ensure_future(self._follow(path, options or LogOptions(follow=True)))

    async def _follow(self, path, options):
        async for record in read_log(path, options, until_end=self.end.wait()):
            self.seen.append(record.line.decode().strip())
            self._more.set()

    async def until(self, count):
        while len(self.seen) < count:
            self._more.clear()
            await self._more.wait()

    async def stop(self):
        self.end.set()
        await self._work
        return self.seen


def append(path, data):
    with path.open("ab") as stream:
        stream.write(data)


async def test_follow_sees_what_is_added_and_ends(log):
    log.write_bytes(lines("a"))
    follower = Follower(log)
    await follower.until(1)
    append(log, lines("b"))
    await follower.until(2)
    append(log, lines("c")[:20])
    append(log, lines("c")[20:])
    assert await follower.stop() == ["a", "b", "c"]


async def test_follow_from_the_tail(log):
    log.write_bytes(lines("a", "b"))
    follower = Follower(log, LogOptions(follow=True, tail=1))
    await follower.until(1)
    append(log, lines("c"))
    assert await follower.stop() == ["b", "c"]


async def test_follow_reads_all_that_was_written_before_the_end(log):
    log.write_bytes(b"")
    follower = Follower(log)
    append(log, lines(*(str(number) for number in range(3000))))
    assert len(await follower.stop()) == 3000


async def test_follow_survives_a_cut(log):
    log.write_bytes(lines("a", "b", "c"))
    follower = Follower(log)
    await follower.until(3)
    os.truncate(log, 0)
    await asyncio.sleep(0)
    append(log, lines("d"))
    await follower.until(4)
    assert await follower.stop() == ["a", "b", "c", "d"]


async def test_follow_survives_a_replacement_and_reads_the_old_file_first(log):
    log.write_bytes(lines("a"))
    follower = Follower(log)
    await follower.until(1)
    append(log, lines("b"))
    fresh = log.with_name("fresh")
    fresh.write_bytes(lines("c"))
    fresh.rename(log)
    await follower.until(3)
    append(log, lines("d"))
    assert await follower.stop() == ["a", "b", "c", "d"]


async def test_two_followers_of_one_file(log):
    log.write_bytes(lines("a"))
    first, second = Follower(log), Follower(log)
    await first.until(1)
    await second.until(1)
    assert await first.stop() == ["a"]
    append(log, lines("b"))
    await second.until(2)
    assert await second.stop() == ["a", "b"]


async def test_an_abandoned_follower_lets_go(log):
    log.write_bytes(lines("a"))
    before = len(os.listdir("/proc/self/fd"))
    reading = read_log(log, LogOptions(), until_end=asyncio.Event().wait())
    async for _ in reading:
        break
    await reading.aclose()
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # the shared inotify
