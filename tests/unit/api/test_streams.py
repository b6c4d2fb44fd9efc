"""Logs and events: order, frames, followers, and clients that leave."""

import asyncio
import json
from datetime import timedelta

import pytest

from hivelet.api.streams import FanIn
from hivelet.errors import System
from hivelet.objects.event import Event
from hivelet.objects.log import STDERR, STDOUT, LogRecord
from hivelet.testing.sample import (
    CONTAINERS,
    MOMENT,
    NODE,
    SERVICE,
    TASKS,
    make_container,
    make_task,
)

BASE = 1_714_979_289_000_000_000


def record(text, at, stream=STDOUT):
    return LogRecord(stream=stream, time_ns=BASE + at, line=f"{text}\n".encode())


def frames(body):
    while body:
        size = int.from_bytes(body[4:8], "big")
        yield body[0], body[8 : 8 + size].decode()
        body = body[8 + size :]


@pytest.fixture
def logs(api):
    api.engine.logs = {
        CONTAINERS[0]: [record("a", 1), record("c", 3, STDERR)],
        CONTAINERS[1]: [record("b", 2), record("d", 4)],
    }


async def until(condition):
    while not condition():
        await asyncio.sleep(0)


async def test_container_logs(api, logs):
    path = f"/containers/{CONTAINERS[0]}/logs?stdout=1&stderr=1&timestamps=1"
    async with api.stream(path) as answer:
        assert answer.headers["Content-Type"] == "application/vnd.docker.multiplexed-stream"
        assert list(frames(await answer.read())) == [
            (STDOUT, "2024-05-06T07:08:09.000000001Z a\n"),
            (STDERR, "2024-05-06T07:08:09.000000003Z c\n"),
        ]
    async with api.stream("/v1.41" + path) as answer:
        assert answer.headers["Content-Type"] == "application/vnd.docker.raw-stream"


async def test_a_terminal_has_no_frames(api, logs):
    container = make_container(1)
    api.engine.containers[container.id] = container.replaced(
        config=container.config.replaced(tty=True)
    )
    status, body = await api.ask("GET", f"/containers/{container.id}/logs?stdout=1")
    assert (status, body) == (200, b"a\nc\n")


async def test_service_logs_are_merged_by_time_and_name_their_tasks(api, logs):
    _, body = await api.ask("GET", "/services/web/logs?stdout=1&stderr=1&details=1")
    found = list(frames(body))
    assert [text.split(" ")[1] for _, text in found] == ["a\n", "b\n", "c\n", "d\n"]
    assert found[1][1] == (
        f"com.docker.swarm.node.id={NODE},com.docker.swarm.service.id={SERVICE},"
        f"com.docker.swarm.task.id={TASKS[1]} b\n"
    )


async def test_task_logs(api, logs):
    _, body = await api.ask("GET", f"/tasks/{TASKS[1]}/logs?stdout=1")
    assert list(frames(body)) == [(STDOUT, "b\n"), (STDOUT, "d\n")]


async def test_a_container_that_is_gone_has_no_log(api, logs):
    del api.engine.containers[CONTAINERS[0]]
    _, body = await api.ask("GET", "/services/web/logs?stdout=1")
    assert [text for _, text in frames(body)] == ["b\n", "d\n"]


async def test_followers_see_tasks_that_start_later(api, logs):
    del api.swarm.tasks[TASKS[1]]
    async with api.stream("/services/web/logs?stdout=1&follow=1") as answer:
        first = await answer.content.readexactly(20)
        assert [text for _, text in frames(first)] == ["a\n", "c\n"]
        api.swarm.put_task(make_task(2))
        later = await answer.content.readexactly(20)
        assert [text for _, text in frames(later)] == ["b\n", "d\n"]


@pytest.mark.parametrize(
    ("path", "streams"),
    [
        (f"/containers/{CONTAINERS[0]}/logs?stdout=1&follow=1", 1),
        ("/services/web/logs?stdout=1&follow=1", 3),
        (f"/tasks/{TASKS[0]}/logs?stdout=1&follow=1", 1),
        ("/events", 2),
    ],
)
async def test_a_client_that_leaves_ends_what_fed_it(api, logs, path, streams):
    async with api.stream(path) as answer:
        assert answer.status == 200
        if "logs" in path:
            await answer.content.readexactly(20)
        else:
            # The sources of events are opened after the headers are sent.
            await until(lambda: api.engine.opened_streams + api.swarm.opened_streams == 2)
        answer.close()
    await until(lambda: api.engine.closed_streams + api.swarm.closed_streams == streams)


async def test_an_error_in_the_middle_of_a_log_is_a_line(api, monkeypatch):
    async def broken(ref, options):
        yield [record("a", 1)]
        raise System("the disk is gone")

    monkeypatch.setattr(api.engine, "container_log_batches", broken)
    _, body = await api.ask("GET", f"/containers/{CONTAINERS[0]}/logs?stdout=1")
    assert list(frames(body)) == [
        (STDOUT, "a\n"),
        (STDERR, "Error grabbing logs: the disk is gone\n"),
    ]


def event(kind, action, at, **attributes):
    return Event(
        type=kind,
        action=action,
        actor_id="x",
        attributes=attributes,
        at=MOMENT + timedelta(milliseconds=at),
    )


async def test_past_events_of_both_backends_in_order(api):
    api.engine.history = [event("container", "start", 1), event("container", "die", 3)]
    api.swarm.history = [event("service", "create", 0), event("service", "remove", 2)]
    since = int(MOMENT.timestamp())
    async with api.stream(f"/events?since={since}&until={since + 1}") as answer:
        actions = [json.loads(line)["Action"] for line in (await answer.read()).splitlines()]
    assert actions == ["create", "start", "remove", "die"]


async def test_events_are_filtered(api):
    api.engine.history = [event("container", "start", 1), event("network", "connect", 1)]
    since = int(MOMENT.timestamp())
    path = (
        f"/events?since={since}&until={since + 1}" + "&filters=%7B%22type%22:%5B%22network%22%5D%7D"
    )
    async with api.stream(path) as answer:
        (line,) = (await answer.read()).splitlines()
    assert json.loads(line)["Action"] == "connect"


@pytest.mark.parametrize("query", ["since=x", "since=2&until=1"])
async def test_bad_spans(api, query):
    assert (await api.ask("GET", f"/events?{query}"))[0] == 400


async def numbers(count):
    for number in range(count):
        yield number


async def test_fan_in_reads_everything_with_little_room():
    async with FanIn[int]("test") as fan:
        fan.add(numbers(500))
        fan.add(numbers(500))
        found = [number async for number in fan.items()]
    assert sorted(found) == sorted([*range(500)] * 2)


async def test_fan_in_does_not_run_ahead_of_its_reader():
    made = []

    async def endless():
        while True:
            made.append(len(made))
            yield made[-1]

    async with FanIn[int]("test") as fan:
        fan.add(endless())
        async for number in fan.items():
            if number == 10:
                break
    assert len(made) < 100


async def test_fan_in_tells_of_a_source_that_fails():
    async def broken():
        yield 1
        raise System("gone")

    async with FanIn[int]("test") as fan:
        fan.add(broken())
        with pytest.raises(System, match="gone"):
            [number async for number in fan.items()]
