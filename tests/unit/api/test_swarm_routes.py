"""Swarm, nodes, services, tasks, secrets, configs through HTTP."""

import json
from base64 import b64encode
from urllib.parse import quote

import pytest

from hivelet.api.names import invent_name
from hivelet.objects.engine import BackendTraffic
from hivelet.objects.task import TaskState
from hivelet.testing.sample import NETWORK, NODE, SERVICE, TASKS, make_task


def filters(**wanted):
    return "filters=" + quote(json.dumps({k.replace("__", "-"): v for k, v in wanted.items()}))


async def test_swarm_from_init_to_leave(api):
    api.swarm.cluster = None
    status, node = await api.ask("POST", "/swarm/init", json={"ListenAddr": "0.0.0.0:2377"})
    assert (status, node) == (200, NODE)
    assert (await api.ask("POST", "/swarm/init", json={}))[0] == 503
    swarm = await api.get("/swarm")
    assert swarm["Spec"]["Orchestration"] == {"TaskHistoryRetentionLimit": 5}
    assert swarm["JoinTokens"] == {"Worker": "", "Manager": ""}
    version = swarm["Version"]["Index"]
    assert (await api.ask("POST", f"/swarm/update?version={version}", json=swarm["Spec"]))[0] == 200
    assert (await api.ask("POST", f"/swarm/update?version={version}", json=swarm["Spec"])) == (
        500,
        {"message": "rpc error: code = Unknown desc = update out of sequence"},
    )
    assert await api.get("/swarm/unlockkey") == {"UnlockKey": ""}
    assert (await api.ask("POST", "/swarm/leave"))[0] == 503
    assert (await api.ask("POST", "/swarm/leave?force=1")) == (200, b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/swarm/join", 501), ("/swarm/unlock", 409)],
)
async def test_swarm_requests_that_fail(api, path, status):
    assert (await api.ask("POST", path, json={}))[0] == status


async def test_nodes(api):
    (node,) = await api.get("/nodes")
    assert node["Description"]["Resources"] == {"NanoCPUs": 2000000000, "MemoryBytes": 1 << 30}
    assert await api.get("/nodes/node-1") == node
    assert await api.get("/nodes?" + filters(role=["worker"])) == []
    spec = {"Role": "manager", "Availability": "drain", "Labels": {"zone": "a"}}
    path = f"/nodes/{NODE}/update?version="
    assert (await api.ask("POST", path + str(node["Version"]["Index"]), json=spec))[0] == 200
    assert (await api.get(f"/nodes/{NODE}"))["Spec"] == spec
    assert (await api.ask("POST", path, json=spec))[0] == 400
    assert (await api.ask("DELETE", f"/nodes/{NODE}?force=1"))[0] == 200


async def test_services(api):
    (service,) = await api.get("/services?status=true")
    assert service["ServiceStatus"] == {"RunningTasks": 1, "DesiredTasks": 2, "CompletedTasks": 0}
    assert "ServiceStatus" not in (await api.get("/v1.40/services?status=true"))[0]
    assert await api.get("/services?" + filters(mode=["global"])) == []
    whole = await api.get("/services/web?insertDefaults=true")
    assert whole["Spec"]["UpdateConfig"]["FailureAction"] == "pause"
    assert "UpdateConfig" not in (await api.get("/services/web"))["Spec"]


async def test_a_services_life(api):
    headers = {"X-Registry-Auth": "secret"}
    spec = {"Name": "db", "TaskTemplate": {"ContainerSpec": {"Image": "postgres"}}, "Labels": None}
    status, made = await api.ask("POST", "/services/create", json=spec, headers=headers)
    assert (status, made["Warnings"], api.swarm.created_with) == (201, None, "secret")
    assert (await api.ask("POST", "/services/create", json=spec))[0] == 409
    service = await api.get(f"/services/{made['ID']}")
    assert service["Spec"]["Mode"] == {"Replicated": {"Replicas": 1}}
    service["Spec"]["Mode"]["Replicated"]["Replicas"] = 0
    version = service["Version"]["Index"]
    path = f"/services/db/update?version={version}&registryAuthFrom=spec&rollback="
    assert await api.ask("POST", path, json=service["Spec"]) == (200, {"Warnings": None})
    assert api.swarm.updated_with.registry_auth_from == "spec"
    changed = await api.get("/services/db")
    assert changed["Spec"]["Mode"] == {"Replicated": {"Replicas": 0}}
    assert changed["PreviousSpec"]["Mode"] == {"Replicated": {"Replicas": 1}}
    version = changed["Version"]["Index"]
    path = f"/services/db/update?version={version}&rollback=previous"
    assert (await api.ask("POST", path, json=changed["Spec"]))[0] == 200
    assert (await api.get("/services/db"))["Spec"]["Mode"] == {"Replicated": {"Replicas": 1}}
    assert await api.ask("DELETE", "/services/db") == (200, b"")


async def test_a_service_without_a_name_is_given_one(api):
    spec = {"TaskTemplate": {"ContainerSpec": {}}}
    status, made = await api.ask("POST", "/services/create", json=spec)
    assert status == 201
    name = (await api.get(f"/services/{made['ID']}"))["Spec"]["Name"]
    assert name.count("_") == 1


def test_invented_names_are_new():
    assert invent_name(lambda _: 0, {}) == "amber_acorn"
    assert invent_name(lambda _: 0, {"amber_acorn", "amber_acorn1"}) == "amber_acorn2"


@pytest.mark.parametrize(
    ("wanted", "slots"),
    [
        ({}, [1, 2]),
        ({"service": ["web"]}, [1, 2]),
        ({"node": ["self"]}, [1, 2]),
        ({"node": ["node-1"]}, [1, 2]),
        ({"id": ["task1"]}, [1]),
        ({"name": ["web.2"]}, [2]),
        ({"label": ["com.docker.stack.namespace=myapp"]}, [1, 2]),
        ({"desired__state": ["running", "accepted"]}, [1, 2]),
        ({"desired__state": ["shutdown"]}, []),
        ({"_up__to__date": ["true"]}, []),
        ({"runtime": ["plugin"]}, []),
    ],
)
async def test_task_filters(api, wanted, slots):
    if "_up__to__date" in wanted:
        wanted = {"_up-to-date": ["true"]}
        slots = [1]
        api.swarm.stale = {TASKS[1]}
    tasks = await api.get("/tasks?" + filters(**wanted))
    assert [task["Slot"] for task in tasks] == slots


@pytest.mark.parametrize(
    ("wanted", "status"),
    [({"service": ["nope"]}, 404), ({"node": ["nope"]}, 404), ({"desired__state": ["x"]}, 400)],
)
async def test_task_filters_that_fail(api, wanted, status):
    assert (await api.ask("GET", "/tasks?" + filters(**wanted)))[0] == status


async def test_a_task_shows_its_network_and_its_error(api):
    task = await api.get(f"/tasks/{TASKS[1]}")
    assert task["Status"]["Err"] == "No such image: myweb:latest"
    assert task["Status"]["State"] == "rejected"
    (attachment,) = task["NetworksAttachments"]
    assert attachment["Addresses"] == ["10.0.1.4/24"]
    assert attachment["Network"]["Spec"]["Name"] == "myapp_webnet"


async def test_a_task_of_a_network_that_is_gone(api):
    del api.swarm.networks[NETWORK]
    task = await api.get(f"/tasks/{TASKS[0]}")
    assert task["NetworksAttachments"][0]["Network"] == {"ID": NETWORK}


@pytest.mark.parametrize("noun", ["secret", "config"])
async def test_secrets_and_configs(api, noun):
    data = b64encode(b"top").decode()
    body = {"Name": "x", "Data": data, "Labels": {"a": "b"}}
    status, made = await api.ask("POST", f"/{noun}s/create", json=body)
    assert status == 201
    (one,) = await api.get(f"/{noun}s?" + filters(names=["x"], label=["a=b"]))
    assert one == await api.get(f"/{noun}s/x")
    assert one["Spec"].get("Data") == (data if noun == "config" else None)
    path = f"/{noun}s/{made['ID']}/update?version={one['Version']['Index']}"
    assert (await api.ask("POST", path, json={"Name": "x", "Labels": {}})) == (200, b"")
    assert (await api.ask("POST", path, json={"Name": "x"}))[0] == 500
    assert (await api.ask("DELETE", f"/{noun}s/x")) == (204, b"")
    assert (await api.ask("GET", f"/{noun}s/x"))[0] == 404


async def test_info_shows_the_swarm(api):
    info = await api.get("/info")
    assert info["Swarm"]["Cluster"]["ID"] == api.swarm.cluster.id
    assert "JoinTokens" not in info["Swarm"]["Cluster"]
    api.swarm.cluster = None
    assert (await api.get("/info"))["Swarm"]["LocalNodeState"] == "inactive"


async def test_counts_follow_the_tasks(api):
    api.swarm.put_task(make_task(2, TaskState.RUNNING))
    (service,) = await api.get("/services?status=1&" + filters(id=[SERVICE]))
    assert service["ServiceStatus"]["RunningTasks"] == 2


async def test_a_services_backends_are_shown_on_request(api):
    api.engine.traffic = {TASKS[0]: BackendTraffic(admitted=True, busy=1, idle=2)}
    assert "Backends" not in await api.get(f"/services/{SERVICE}")
    (backend,) = (await api.get(f"/services/{SERVICE}?backends=true"))["Backends"]
    assert (backend["TaskID"], backend["State"]) == (TASKS[0], "in")
    assert backend["Connections"] == {"Busy": 1, "Idle": 2}
