"""Health of containers of a real engine: probed in them, told to those who wait, ended with them, adopted."""

from __future__ import annotations

import asyncio

import pytest

from hivelet.errors import InvalidParameter
from hivelet.objects.common import SECOND
from hivelet.objects.container import Healthcheck

FAST = SECOND // 20
SLEEP = ("/bin/sleep", "1000")


def check(*words, kind="CMD-SHELL", **times):
    return Healthcheck(test=[kind, *words], **{"interval": FAST, **times})


async def left(bench, record, *statuses):
    async with asyncio.timeout(10):
        return await bench.engine.lifecycle.health.leave(record.id, statuses)


def probes(bench, record):
    health = bench.engine.registry.find(record.id).container.state.health
    return [(probe.exit_code, probe.output) for probe in health.log]


async def test_healthy_then_unhealthy_then_healthy_again(bench):
    events = []
    with bench.engine._events.listen() as heard:
        record = await bench.run(
            *SLEEP, healthcheck=check("test -e /tmp/bad && echo no && exit 3; exit 0", retries=2)
        )
        assert record.container.state.health.status == "starting"
        state = await left(bench, record, "starting")
        assert (state.status, state.health.status) == ("running", "healthy")
        bad = bench.engine._storage.rootfs(record) / "tmp/bad"
        bad.touch()
        state = await left(bench, record, "healthy")
        assert (state.health.status, state.health.failing_streak) == ("unhealthy", 2)
        assert probes(bench, record)[-2:] == [(3, "no\n")] * 2
        bad.unlink()
        assert (await left(bench, record, "unhealthy")).health.failing_streak == 0
        async with asyncio.timeout(10):
            async for event in heard:
                if event.action.startswith("health_status"):
                    events.append(event.action.removeprefix("health_status: "))
                if len(events) == 3:
                    break
    assert events == ["healthy", "unhealthy", "healthy"]


async def test_a_probe_is_the_containers_own_user_environment_and_directory(bench):
    record = await bench.run(
        *SLEEP,
        healthcheck=check("echo $WHO $(id -u) $PWD"),
        env=["WHO=me"],
        user="33:44",
        working_dir="/tmp",
    )
    await left(bench, record, "starting")
    assert probes(bench, record)[0] == (0, "me 33 /tmp\n")


async def test_a_probe_past_its_time_is_a_failure_and_leaves_no_process(bench):
    slow = check("echo before; sleep 1000 & sleep 1000", timeout=SECOND // 5, retries=1)
    record = await bench.run(*SLEEP, healthcheck=slow)
    assert (await left(bench, record, "starting")).health.status == "unhealthy"
    assert probes(bench, record)[0] == (-1, "Health check exceeded timeout (200ms): before\n")
    await bench.engine.lifecycle.health.end(record.id)
    async with asyncio.timeout(10):
        while len(bench.engine.lifecycle.processes(record.id)) > 1:
            await asyncio.sleep(0.01)


async def test_a_program_that_is_not_there_is_a_failed_probe(bench):
    record = await bench.run(*SLEEP, healthcheck=check("/no-such", kind="CMD", retries=1))
    assert (await left(bench, record, "starting")).health.status == "unhealthy"
    (code, output), *_ = probes(bench, record)
    assert code == -1
    assert output.startswith("OCI runtime exec failed: exec failed: ")
    assert "no-such" in output


async def test_an_end_wakes_who_waits_for_health_and_ends_the_probes(bench):
    record = await bench.run("/bin/sh", "-c", "sleep 0.3; exit 5", healthcheck=check("sleep 100"))
    state = await left(bench, record, "starting")
    assert (state.status, state.exit_code) == ("exited", 5)
    await bench.engine.remove_container(record.id, force=True, volumes=True)
    assert bench.engine.lifecycle.health._loops == {}


async def test_health_survives_a_restart_of_the_daemon(bench):
    record = await bench.run(*SLEEP, healthcheck=check("exit 0"))
    await left(bench, record, "starting")
    await bench.restart()
    adopted = bench.engine.registry.find(record.id).container.state
    assert adopted.health.status == "healthy"
    (bench.engine._storage.rootfs(record) / "bin/sh").unlink()
    assert (await left(bench, record, "healthy")).health.status == "unhealthy"


async def test_a_check_that_nobody_understands_makes_no_container(bench):
    with pytest.raises(InvalidParameter, match="Unknown healthcheck type"):
        await bench.create(*SLEEP, healthcheck=check("x", kind="HTTP"))
    assert bench.engine.registry.all() == []
