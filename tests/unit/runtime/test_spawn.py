import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from hivelet.runtime.spawn import SpawnFailed, run_quick, spawn, spawn_in

ENV = {"PATH": "/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("script", "status", "output"),
    [
        ("exit 0", 0, b""),
        ("echo a; echo b >&2; exit 3", 3, b"a\nb\n"),
        ("kill -9 $$", 137, b""),
        ("cat", 0, b""),
    ],
)
async def test_status_and_output(script, status, output):
    ended = await run_quick(["/bin/sh", "-c", script], env=ENV)
    assert (ended.status, ended.output) == (status, output)


async def test_input_of_any_size():
    data = b"x" * 300_000
    ended = await run_quick(["/bin/cat"], env=ENV, stdin=data, output_limit=1 << 20)
    assert ended.output == data


async def test_output_is_cut_but_its_writer_never_blocks():
    ended = await run_quick(
        ["/bin/sh", "-c", "head -c 1000000 /dev/zero"], env=ENV, output_limit=10
    )
    assert (ended.status, len(ended.output)) == (0, 10)


async def test_environment_is_what_is_given():
    os.environ["SECRET_OF_OURS"] = "1"
    try:
        ended = await run_quick(["/usr/bin/env"], env={"A": "1"})
    finally:
        del os.environ["SECRET_OF_OURS"]
    assert ended.output == b"A=1\n"


async def test_a_program_that_is_not_there():
    with pytest.raises(SpawnFailed, match="/no/such could not be started"):
        await run_quick(["/no/such"], env=ENV)


async def test_cancelled_it_is_killed_and_leaves_nothing():
    before = set(os.listdir("/proc/self/fd"))
    sleeper = ["/bin/sleep", "98765.4321"]
    work = asyncio.ensure_future(run_quick(sleeper, env=ENV))
    await asyncio.sleep(0)
    assert running(sleeper)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert set(os.listdir("/proc/self/fd")) == before
    assert not running(sleeper)


def running(argv):
    mine = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            words = (entry / "cmdline").read_bytes().split(b"\0")[:-1]
            parent = int((entry / "stat").read_bytes().rpartition(b") ")[2].split()[1])
            if words == [word.encode() for word in argv] and parent == os.getpid():
                mine.append(entry.name)
    return mine


async def test_no_descriptor_of_ours_is_inherited(tmp_path):
    reader, writer = os.pipe()
    target = tmp_path / "fds"
    pid = spawn(["/bin/ls", "-l", "/proc/self/fd"], env=ENV, fds={1: str(target)})
    os.waitpid(pid, 0)
    assert os.readlink(f"/proc/self/fd/{reader}") not in target.read_text()
    os.close(reader)
    os.close(writer)


def test_working_directory_is_the_programs_alone(tmp_path):
    before = os.getcwd()
    target = tmp_path / "pwd"
    pid = spawn_in(tmp_path, ["/bin/pwd"], env=ENV, fds={1: str(target)})
    os.waitpid(pid, 0)
    assert target.read_text().strip() == str(tmp_path)
    assert os.getcwd() == before
