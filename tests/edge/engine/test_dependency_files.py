"""Secrets and configs as files of a container: what it sees, where they lie, and that they go with it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from hivelet.engine.dependencies.known import FileReference
from hivelet.errors import NotFound
from hivelet.objects.common import ConfigId, SecretId
from hivelet.objects.log import LogOptions
from hivelet.objects.secret import Config, ConfigSpec, Secret, SecretSpec

SECRET = b"hunter2"
FILES = (
    FileReference(kind="secret", id="s", name="key", target="/run/secrets/key"),
    FileReference(
        kind="secret", id="s", name="key", target="/etc/own/key", uid=33, gid=44, mode=0o400
    ),
    FileReference(kind="config", id="c", name="run", target="/run.sh", mode=0o555),
)


@pytest.fixture
def informed(bench):
    tell(bench)
    return bench


def tell(bench):
    bench.engine.set_dependencies(
        {SecretId("s"): Secret(id=SecretId("s"), spec=SecretSpec(name="key", data=SECRET))},
        {
            ConfigId("c"): Config(
                id=ConfigId("c"),
                spec=ConfigSpec(name="run", data=b"#!/bin/sh\necho ran\n" + b"#" * 9000),
            )
        },
    )


def mounted(bench):
    return sorted(path.name for path in (bench.home / "run/secrets").glob("*"))


async def test_files_with_owner_and_mode_read_only(informed):
    # Root may write to any mode, so only the mount can refuse it. Outcomes, not messages: the log may cut those.
    script = """
        echo $(cat /run/secrets/key)
        busybox stat -c '%u:%g %a' /run/secrets/key /etc/own/key /run.sh
        /run.sh
        (echo x > /run/secrets/key) 2>/dev/null && echo written
        busybox touch /etc/own/key 2>/dev/null && echo touched
        echo done
    """
    record = await informed.run("/bin/sh", "-c", script, files=FILES)
    assert (await informed.engine.wait_exit(record.id)).exit_code == 0
    lines = informed.log(record).splitlines()
    assert lines == ["hunter2", "0:0 444", "33:44 400", "0:0 555", "ran", "done"]


async def test_a_secret_is_on_tmpfs_only_and_goes_with_the_container(informed):
    record = await informed.run("/bin/sleep", "1000", files=FILES)
    home = informed.home / "run/secrets" / record.id
    assert (home.stat().st_mode & 0o777, home.parent.stat().st_mode & 0o777) == (0o700, 0o700)
    options = next(
        line.split(" ", 3)[3]
        for line in Path("/proc/thread-self/mounts").read_text().splitlines()
        if line.split()[1] == str(home)
    )
    assert {"nosuid", "nodev", "noexec", "mode=700"} <= set(options.split()[0].split(","))
    root = informed.home / "root"
    holders = [p for p in root.rglob("*") if p.is_file() and SECRET in p.read_bytes()]
    assert holders == []
    shown = await informed.engine.get_container(record.id)
    assert shown.mounts == []
    await informed.engine.stop_container(record.id, timeout=0)
    await informed.engine.wait_exit(record.id)
    await informed.engine.remove_container(record.id, force=True, volumes=True)
    assert mounted(informed) == []


async def test_files_are_written_anew_at_a_restart_and_kept_by_one_that_runs(informed):
    script = "echo $(cat /run/secrets/key); exec sleep 1000"
    record = await informed.run("/bin/sh", "-c", script, files=FILES)
    other = await informed.run("/bin/sleep", "1000", name="other", files=FILES)
    pid = other.container.state.pid
    await informed.restart(meanwhile=lambda: os.kill(pid, signal.SIGKILL))
    tell(informed)
    assert mounted(informed) == [record.id]
    await informed.engine.restart_container(record.id, timeout=0)
    lines = []
    async with asyncio.timeout(10):
        async for entry in informed.engine.container_logs(record.id, LogOptions(follow=True)):
            lines.append(entry.line)
            if len(lines) == 2:
                break
    assert lines == [b"hunter2\n", b"hunter2\n"]


async def test_what_the_node_was_not_told_makes_no_container(bench):
    with pytest.raises(NotFound, match="secret key"):
        await bench.create("/bin/sleep", "1", files=FILES)
    assert bench.engine.registry.all() == []
    assert mounted(bench) == []
