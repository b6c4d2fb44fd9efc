"""Containers of a real engine: what runs, what is seen of its end, what survives a restart, what is left."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from hivelet.errors import Conflict, HiveletError, InvalidParameter, NotFound
from hivelet.objects.container import HostConfig, Mount
from hivelet.objects.log import LogOptions


async def test_a_container_runs_is_seen_and_leaves_nothing(bench):
    record = await bench.run("/bin/sleep", "1000")
    assert record.container.state.running
    assert Path(f"/proc/{record.container.state.pid}").exists()
    assert record.container.networks["webnet"].ip_address == "10.0.1.2"
    assert bench.engine.lifecycle.processes(record.id) == {record.container.state.pid}
    with pytest.raises(Conflict, match="cannot remove a running container"):
        await bench.engine.remove_container("one", force=False, volumes=False)
    await bench.engine.remove_container("one", force=True, volumes=True)
    assert bench.engine.registry.all() == []
    assert bench.traces() == []
    with pytest.raises(NotFound, match="No such container: one"):
        await bench.engine.get_container("one")


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("exec no-such", 127)])
async def test_exit_codes(bench, script, code):
    record = await bench.run("/bin/sh", "-c", script)
    async with asyncio.timeout(10):
        state = await bench.engine.wait_exit(record.id)
    assert (state.status, state.exit_code, state.pid) == ("exited", code, 0)


async def test_environment_user_directory_and_files(bench):
    record = await bench.run(
        "/bin/sh",
        "-c",
        "echo $WHO $(id -u):$(id -g) $PWD; cat /etc/hostname /etc/hosts",
        env=["WHO=me"],
        user="33:44",
        working_dir="/tmp",
        hostname="box",
    )
    await bench.engine.wait_exit(record.id)
    lines = bench.log(record).splitlines()
    assert lines[0] == "me 33:44 /tmp"
    assert lines[1] == "box"
    assert any(line.split() == ["10.0.1.2", "box"] for line in lines)


async def test_a_program_that_is_not_there_is_named(bench):
    record = await bench.create("/bin/no-such-program")
    with pytest.raises(HiveletError, match="no-such-program"):
        await bench.engine.start_container(record.id)
    shown = await bench.engine.get_container(record.id)
    assert shown.state.exit_code == 127
    assert "no-such-program" in shown.state.error


async def test_stop_waits_for_the_grace_period_and_then_kills(bench):
    polite = await bench.run(
        "/bin/sh", "-c", "trap 'exit 3' TERM; echo set; while :; do sleep 0.05; done", name="polite"
    )
    async for _ in bench.engine.container_logs(polite.id, LogOptions(follow=True)):
        break  # the trap is set: before that, a first process ignores the signal
    assert await bench.engine.stop_container("polite", timeout=10)
    assert bench.engine.registry.find(polite.id).container.state.exit_code == 3
    assert not await bench.engine.stop_container("polite", timeout=10)
    await bench.run("/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.05; done", name="stubborn")
    await bench.engine.stop_container("stubborn", timeout=0)
    assert bench.engine.registry.find("stubborn").container.state.exit_code == 137


async def test_out_of_memory_is_said(bench):
    record = await bench.run(
        "/bin/sh",
        "-c",
        "x=0123456789abcdef; while :; do x=$x$x; done",
        host=HostConfig(memory=8 << 20),
    )
    async with asyncio.timeout(20):
        state = await bench.engine.wait_exit(record.id)
    assert state.oom_killed
    assert state.exit_code == 137


async def test_a_new_volume_begins_with_what_the_image_has_there(bench):
    host = HostConfig(mounts=[Mount(type="volume", source="store", target="/data")])
    record = await bench.run("/bin/sh", "-c", "cat /data/seed; echo more > /data/mine", host=host)
    await bench.engine.wait_exit(record.id)
    volume = await bench.engine.get_volume("store")
    assert bench.log(record) == "grown"
    assert (Path(volume.mountpoint) / "mine").read_text() == "more\n"
    assert (Path(volume.mountpoint) / "seed").stat().st_uid == 33
    with pytest.raises(Conflict, match="volume is in use"):
        await bench.engine.remove_volume("store", force=False)
    await bench.engine.remove_container(record.id, force=True, volumes=True)
    assert [v.name for v in await bench.engine.list_volumes()] == ["store"]


async def test_a_bind_whose_source_is_missing_makes_no_container(bench):
    host = HostConfig(mounts=[Mount(type="bind", source="/no/such/place", target="/x")])
    with pytest.raises(InvalidParameter, match="bind source path does not exist: /no/such/place"):
        await bench.create("/bin/sleep", "1", host=host)
    assert bench.engine.registry.all() == []
    with pytest.raises(InvalidParameter, match="No command"):
        await bench.create()
    assert bench.traces() == []


async def test_a_restarted_daemon_adopts_what_runs_and_sees_what_ended(bench):
    lives = await bench.run("/bin/sleep", "1000", name="lives")
    dies = await bench.run("/bin/sleep", "1000", name="dies")
    await bench.restart(meanwhile=lambda: os.kill(dies.container.state.pid, signal.SIGKILL))
    assert bench.engine.registry.find("lives").container.state.pid == lives.container.state.pid
    assert bench.engine.addresses(lives.id)[lives.legs[0].network.id] == "10.0.1.2"
    ended = bench.engine.registry.find("dies").container.state
    assert (ended.status, ended.exit_code) == ("exited", 137)
    os.kill(lives.container.state.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        assert (await bench.engine.wait_exit(lives.id)).exit_code == 137


async def test_a_stopped_container_starts_again_with_its_files(bench):
    record = await bench.run("/bin/sh", "-c", "echo run >> /tmp/runs; cat /tmp/runs")
    await bench.engine.wait_exit(record.id)
    await bench.engine.start_container(record.id)
    await bench.engine.wait_exit(record.id)
    assert bench.log(record).splitlines() == ["run", "run", "run"]


async def test_logs_follow_until_the_container_ends(bench):
    record = await bench.run("/bin/sh", "-c", "echo one; sleep 0.2; echo two; exit 0")
    async with asyncio.timeout(10):
        lines = [
            e.line async for e in bench.engine.container_logs(record.id, LogOptions(follow=True))
        ]
    assert lines == [b"one\n", b"two\n"]


async def test_an_end_comes_after_its_start_however_slow_the_disk_is(bench, monkeypatch):
    """Its program ends while the record of its start is being written; whoever sees its end can start it again at once."""
    written, seen = bench.engine.registry.written, []

    async def slowly():
        await asyncio.sleep(0.3)
        await written()

    monkeypatch.setattr(bench.engine.registry, "written", slowly)
    with bench.engine._events.listen() as events:
        record = await bench.run("/bin/sh", "-c", "exit 0")
        async with asyncio.timeout(20):
            while (await bench.engine.get_container(record.id)).state.status != "exited":
                await asyncio.sleep(0.01)
            await bench.engine.start_container(record.id)
            async for event in events:
                seen += [event.action] if event.action in ("start", "die") else []
                if len(seen) == 4:
                    break
    assert seen == ["start", "die"] * 2


async def test_a_stop_meets_the_start_that_is_under_way(bench, monkeypatch):
    """As when a restart policy starts a container at the very moment: who has stopped it finds it stopped, and it stays so."""
    record = await bench.create("/bin/sleep", "1000")
    runtime = bench.engine.lifecycle._parts.runtime
    create, begun, may_go_on = runtime.create, asyncio.Event(), asyncio.Event()

    async def slowly(*args):
        begun.set()
        await may_go_on.wait()
        return await create(*args)

    monkeypatch.setattr(runtime, "create", slowly)
    starting = asyncio.ensure_future(bench.engine.start_container(record.id))
    async with asyncio.timeout(20):
        await begun.wait()
        stopping = asyncio.ensure_future(bench.engine.stop_container(record.id, timeout=0))
        await asyncio.sleep(0)
        may_go_on.set()
        assert await starting
        assert await stopping
    found = bench.engine.registry.find(record.id)
    assert found.by_hand
    assert not found.container.state.running


async def test_events_tell_who_has_ended_a_container(bench):
    seen = []
    async with asyncio.timeout(20):
        with bench.engine._events.listen() as events:
            record = await bench.run("/bin/sleep", "1000")
            await bench.engine.container_top(record.id, "")
            await bench.engine.restart_container(record.id, timeout=0)
            await bench.engine.remove_container(record.id, force=True, volumes=True)
            async for event in events:
                if event.type == "container":
                    seen.append(event.action + event.attributes.get("signal", ""))
                if event.action == "destroy":
                    break
    life = ["create", "start", "top", "kill9", "die", "stop", "start", "restart"]
    assert seen == [*life, "kill9", "die", "destroy"]


async def test_events_tell_the_life_of_a_container(bench):
    seen = []
    async with asyncio.timeout(10):
        with bench.engine._events.listen() as events:
            record = await bench.run("/bin/sh", "-c", "exit 4")
            await bench.engine.wait_exit(record.id)
            await bench.engine.remove_container(record.id, force=True, volumes=True)
            async for event in events:
                if event.type == "container":
                    seen.append((event.action, event.attributes.get("exitCode")))
                if event.action == "destroy":
                    break
    assert seen == [("create", None), ("start", None), ("die", "4"), ("destroy", None)]


async def test_a_daemon_that_died_between_start_and_its_note_finds_the_container_running(bench):
    record = await bench.create("/bin/sleep", "1000")
    lifecycle = bench.engine.lifecycle
    prepared, sandbox = await lifecycle._provision.ensure(record)
    pid = await lifecycle._run(prepared, sandbox)
    assert not bench.engine.registry.find(record.id).container.state.running
    await bench.restart()
    state = bench.engine.registry.find(record.id).container.state
    assert (state.status, state.pid) == ("running", pid)
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        assert (await bench.engine.wait_exit(record.id)).exit_code == 137


async def test_a_daemon_that_died_after_an_end_takes_down_what_is_left(bench):
    record = await bench.run("/bin/sleep", "1000")
    ended = record.container.state.replaced(status="exited", pid=0, exit_code=9)
    pid = record.container.state.pid

    def die_after_the_note() -> None:
        os.kill(pid, signal.SIGKILL)

    bench.engine.registry.write(record.with_state(ended))
    await bench.restart(meanwhile=die_after_the_note)
    assert bench.engine.registry.find(record.id).container.state.exit_code == 9
    assert bench.traces() == []
