import asyncio
import re
import sys

import pytest

from hivelet.kit.backoff import Backoff
from hivelet.kit.files import write_atomic
from hivelet.kit.ids import new_hex_id, new_id
from hivelet.kit.process import CommandFailed, run_command
from hivelet.kit.supervise import Supervisor


def test_ids_have_the_shapes_of_swarmkit_and_docker():
    assert re.fullmatch("[0-9a-z]{25}", new_id())
    assert re.fullmatch("[0-9a-f]{64}", new_hex_id())
    assert len({new_id() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(0, 0), (1, 1), (2, 2), (4, 8), (99, 60), (10**6, 60)]
)
def test_backoff_doubles_to_its_ceiling(attempt, seconds):
    assert Backoff(jitter=0).delay(attempt) == seconds


def test_backoff_jitter_stays_within_its_share():
    backoff = Backoff(jitter=0.1)
    assert backoff.delay(3, 0.0) == pytest.approx(3.6)
    assert backoff.delay(3, 0.999999) == pytest.approx(4.4, abs=1e-3)


def test_an_atomic_file_is_whole_and_leaves_no_scratch(tmp_path):
    target = tmp_path / "f"
    write_atomic(target, "one")
    write_atomic(target, b"two", mode=0o600, sync=True)
    assert target.read_text() == "two"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]


async def test_a_command_gives_its_output_and_takes_input():
    output = await run_command([sys.executable, "-c", "print(input()[::-1])"], stdin=b"abc\n")
    assert output.stdout == b"cba\n"


async def test_a_failing_command_says_what_it_said():
    with pytest.raises(CommandFailed, match="status 3: no such thing") as caught:
        await run_command(["sh", "-c", "echo no such thing >&2; exit 3"])
    assert caught.value.status == 3
    with pytest.raises(CommandFailed, match="no-such-program"):
        await run_command(["no-such-program"])
    with pytest.raises(CommandFailed, match=r"no end within 0.05 s"):
        await run_command(["sleep", "30"], timeout=0.05)


async def test_a_supervisor_restarts_what_it_keeps_and_ends_all_at_stop():
    supervisor = Supervisor("test")
    runs: list[int] = []
    twice = asyncio.Event()

    async def crashes_once() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise RuntimeError("first time")
        twice.set()
        await asyncio.Event().wait()

    supervisor.keep("crashes", crashes_once)
    async with asyncio.timeout(5):
        await twice.wait()
    await supervisor.stop()
    assert len(runs) == 2
