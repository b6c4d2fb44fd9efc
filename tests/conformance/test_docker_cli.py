"""The unmodified docker CLI against the API: what a user sees of the sample world."""

from __future__ import annotations

import pytest

from hivelet.objects.common import Annotations, ServiceId, TaskId
from hivelet.objects.event import Event
from hivelet.objects.log import LogRecord
from hivelet.objects.service import UpdateStatus
from hivelet.objects.task import Task, TaskState, TaskStatus
from hivelet.testing.sample import CONTAINERS, MOMENT, NODE, TASKS


def table(text: str) -> list[list[str]]:
    """The cells of a table, columns being at least three spaces apart."""
    rows = [[cell.strip() for cell in line.split("   ")] for line in text.splitlines()]
    return [[cell for cell in row if cell] for row in rows]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("service ls", [["service1aaaa", "web", "replicated", "1/2", "myweb:latest", "*:8000->8000/tcp"]]),
        ("stack ls --format {{.Name}},{{.Services}}", [["myapp,1"]]),
        ("stack services myapp --format {{.Name}},{{.Replicas}}", [["web,1/2"]]),
        ("stack ps myapp --format {{.Name}},{{.CurrentState}}", None),
        ("service ps web --format {{.Name}},{{.Node}},{{.DesiredState}},{{.Error}}",
         [["web.1,node-1,Running,"], ["web.2,node-1,Running,\"No such image: myweb:latest\""]]),
        ("node ls --format {{.ID}},{{.Self}},{{.Status}},{{.ManagerStatus}}", [[f"{NODE},true,Ready,Leader"]]),
        ("network ls --format {{.Name}},{{.Driver}},{{.Scope}}",
         [["bridge,bridge,local"], ["host,host,local"], ["myapp_webnet,overlay,swarm"], ["none,null,local"]]),
        ("ps --format {{.Names}},{{.Image}},{{.Ports}}",
         [[f"web.1.{TASKS[0]},myweb:latest,0.0.0.0:8001->8000/tcp"],
          [f"web.2.{TASKS[1]},myweb:latest,0.0.0.0:8002->8000/tcp"]]),
        ("images --format {{.Repository}}:{{.Tag}},{{.Size}}", [["myweb:latest,123MB"]]),
        ("version --format {{.Server.Version}},{{.Server.APIVersion}}", [["0.1.0,1.47"]]),
        ("info --format {{.Swarm.LocalNodeState}},{{.Swarm.Nodes}},{{.NCPU}}", [["active,1,2"]]),
        ("service inspect web --format {{(index .Endpoint.VirtualIPs(0)).Addr}}", None),
        ("swarm join-token -q worker", [["SWMTKN-1-w"]]),
        ("secret ls -q", []),
        ("config ls -q", []),
        ("volume ls -q", []),
        ("system df --format {{.Type}},{{.TotalCount}}",
         [["Images,1"], ["Containers,2"], ["Local Volumes,0"], ["Build Cache,0"]]),
    ],
)  # fmt: skip
async def test_reading(cli, command, expected):
    status, out, err = await cli.docker(*command.split())
    if expected is None:
        return
    assert (status, err) == (0, "")
    rows = table(out)
    assert (rows[1:] if rows and rows[0][0] == "ID" else rows) == expected


@pytest.mark.parametrize(
    "command",
    ["service inspect --pretty web", "node inspect --pretty self", "inspect " + CONTAINERS[0], "node ps",
     "network inspect -v myapp_webnet", "info", "image inspect myweb", "history myweb", "stats --no-stream",
     "top " + CONTAINERS[0], "plugin ls", "image ls --filter dangling=true", "ps -a -s --filter status=running"],
)  # fmt: skip
async def test_reading_without_complaint(cli, command):
    status, out, err = await cli.docker(*command.split())
    assert status == 0
    assert [line for line in err.splitlines() if not line.startswith("WARNING")] == []
    assert out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("service inspect nope", "no such service: nope"),
        ("inspect nope", "no such object: nope"),
        ("network rm bridge", "bridge is a pre-defined network and cannot be removed"),
        ("exec web.1 sh", "No such container: web.1"),
        ("search myweb", "searching registries"),
    ],
)
async def test_errors(cli, command, message):
    status, _, err = await cli.docker(*command.split())
    assert status != 0
    if command != "exec web.1 sh":
        assert message.lower() in err.lower()


async def test_outside_of_a_swarm(cli):
    cli.swarm.cluster = None
    status, _, err = await cli.docker("service", "ls")
    assert status == 1
    assert "This node is not a swarm manager" in err
    status, out, _ = await cli.docker("swarm", "init")
    assert status == 0
    assert f"current node ({NODE}) is now a manager" in out


async def test_service_logs_name_their_tasks(cli):
    cli.engine.logs[CONTAINERS[0]] = [LogRecord(time_ns=1, line=b"hello\n")]
    status, out, err = await cli.docker("service", "logs", "--no-trunc", "web")
    assert (status, err) == (0, "")
    assert out.split() == [f"web.1.{TASKS[0]}@node-1", "|", "hello"]


async def test_container_logs(cli):
    cli.engine.logs[CONTAINERS[0]] = [LogRecord(line=b"out\n"), LogRecord(stream=2, line=b"err\n")]
    assert await cli.docker("logs", CONTAINERS[0]) == (0, "out\n", "err\n")


async def test_events(cli):
    cli.engine.history = [
        Event(
            type="container", action="die", actor_id="c1", attributes={"name": "web.1"}, at=MOMENT
        )
    ]
    status, out, _ = await cli.docker("events", "--since", "2024-05-06T00:00:00Z", "--until", "2024-05-06T07:08:09.2Z")  # fmt: skip
    assert status == 0
    assert "container die c1 (name=web.1)" in out


async def test_secrets_configs_networks_and_volumes(cli):
    assert (await cli.docker("secret", "create", "s", "-", stdin=b"top"))[0] == 0
    assert (await cli.docker("config", "create", "c", "-", stdin=b"conf"))[0] == 0
    assert (await cli.docker("network", "create", "-d", "overlay", "over"))[0] == 0
    assert (await cli.docker("volume", "create", "data"))[1] == "data\n"
    assert [s.spec.data for s in cli.swarm.secrets.values()] == [b"top"]
    assert (await cli.docker("config", "inspect", "--pretty", "c"))[1].endswith("conf\n")
    for noun, name in (("secret", "s"), ("config", "c"), ("network", "over"), ("volume", "data")):
        assert (await cli.docker(noun, "rm", name))[0] == 0


async def test_import_and_load(cli):
    status, out, _ = await cli.docker("import", "-", "bb:1", stdin=b"tar")
    assert (status, out[:7]) == (0, "sha256:")
    status, out, _ = await cli.docker("load", stdin=b"archive")
    assert (status, out) == (0, "Loaded image: loaded:latest\n")
    assert cli.engine.received == [b"tar", b"archive"]


async def test_what_is_done_to_containers(cli):
    for words in (["stop", "-t", "3"], ["kill", "-s", "HUP"], ["rm", "-f"]):
        assert (await cli.docker(*words, CONTAINERS[0]))[0] == 0
    assert [call[0] for call in cli.engine.calls] == ["stop", "kill", "remove"]
    assert (await cli.docker("wait", CONTAINERS[1]))[1] == "0\n"


def run_tasks(swarm, service: ServiceId, count: int, generation: int) -> None:
    """Stand in for orchestrator and agent: this many running tasks."""
    for slot in range(1, count + 1):
        swarm.put_task(
            Task(
                id=TaskId(f"{service[:20]}{generation}{slot}".ljust(25, "x")),
                service_id=service,
                service_annotations=Annotations(name=swarm.services[service].spec.name),
                slot=slot,
                node_id=NODE,
                status=TaskStatus(timestamp=MOMENT, state=TaskState.RUNNING),
                desired_state=TaskState.RUNNING,
            )
        )


async def test_progress_bars_converge(cli, monkeypatch):
    """`service create` and `service update --force` wait until the API says that all is done, and then end."""
    swarm = cli.swarm
    create, update, up_to_date = swarm.create_service, swarm.update_service, swarm.up_to_date

    async def create_and_run(spec, *, registry_auth=""):
        made = await create(spec, registry_auth=registry_auth)
        run_tasks(swarm, made.id, spec.mode.replicated.replicas, 1)
        return made

    async def update_and_run(ref, version, spec, how):
        warnings = await update(ref, version, spec, how)
        service = await swarm.get_service(ref)
        for task in list(await swarm.list_tasks({service.id})):
            swarm.stale.add(task.id)
        run_tasks(swarm, service.id, spec.mode.replicated.replicas, 2)
        show_update(service.id, "updating")
        return warnings

    def show_update(identity, state):
        status = UpdateStatus(state=state, started_at=MOMENT, completed_at=MOMENT, message=state)
        swarm.services[identity] = swarm.services[identity].replaced(update_status=status)

    async def up_to_date_and_done(tasks):
        found = await up_to_date(tasks)
        if swarm.stale:
            show_update(found[0].service_id, "completed")
        return found

    monkeypatch.setattr(swarm, "up_to_date", up_to_date_and_done)
    monkeypatch.setattr(swarm, "create_service", create_and_run)
    monkeypatch.setattr(swarm, "update_service", update_and_run)
    more = ["--update-monitor", "1ms"]
    status, out, _ = await cli.docker("service", "create", "--replicas", "2", *more, "--name", "two", "myweb:latest")  # fmt: skip
    assert (status, "overall progress: 2 out of 2 tasks" in out) == (0, True)
    status, out, _ = await cli.docker("service", "update", "--force", "two")
    assert (status, "overall progress: 2 out of 2 tasks" in out) == (0, True)
