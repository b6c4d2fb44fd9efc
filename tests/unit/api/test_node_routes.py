"""Containers, images, networks, volumes and the rest of this node through HTTP."""

import json
from base64 import urlsafe_b64encode
from urllib.parse import quote

import pytest

from hivelet.objects.common import NetworkId
from hivelet.objects.container import ContainerState
from hivelet.objects.engine import ExitResult, NetworkContainer, NodeNetwork
from hivelet.objects.image import RegistryAuth, RegistryImage
from hivelet.testing.sample import CONTAINERS, MOMENT, NETWORK, TASKS


def filters(**wanted):
    return "filters=" + quote(json.dumps(wanted))


def lines(body):
    return [json.loads(line) for line in body.splitlines()]


async def test_containers(api):
    listed = await api.get("/containers/json?size=1")
    assert [c["Names"] for c in listed] == [[f"/web.{n}.{TASKS[n - 1]}"] for n in (1, 2)]
    assert listed[0]["Status"] == "Up 5 minutes"
    assert listed[0]["SizeRootFs"] == 1000
    whole = await api.get(f"/containers/{CONTAINERS[0]}/json")
    assert whole["NetworkSettings"]["Networks"]["myapp_webnet"]["IPAddress"] == "10.0.1.3"
    assert whole["NetworkSettings"]["Ports"] == {
        "8000/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8001"}]
    }
    assert "SizeRw" not in whole


@pytest.mark.parametrize(
    ("method", "path", "status", "call"),
    [
        ("POST", "/stop?t=3&signal=SIGINT", 204, ("stop", 3, "SIGINT")),
        ("POST", "/stop", 204, ("stop", None, "")),
        ("POST", "/start", 304, ("start",)),
        ("POST", "/restart?t=-1", 204, ("restart", -1, "")),
        ("POST", "/kill", 204, ("kill", "SIGKILL")),
        ("POST", "/kill?signal=9", 204, ("kill", "9")),
        ("DELETE", "?force=1&v=1", 204, ("remove", True, True)),
        ("DELETE", "", 409, None),
    ],
)
async def test_what_is_done_to_containers(api, method, path, status, call):
    identity = CONTAINERS[0]
    assert (await api.ask(method, f"/containers/{identity}{path}"))[0] == status
    done = [(name, *rest) for name, _, *rest in api.engine.calls]
    assert done == ([call] if call else [])


async def test_wait(api):
    identity = CONTAINERS[0]
    api.engine.exits[identity] = ExitResult(status_code=137, error="lost")
    status, body = await api.ask("POST", f"/containers/{identity}/wait?condition=next-exit")
    assert (status, body) == (200, {"StatusCode": 137, "Error": {"Message": "lost"}})
    assert (await api.ask("POST", f"/containers/{identity}/wait?condition=x"))[0] == 400
    assert (await api.ask("POST", "/containers/nope/wait"))[0] == 404


async def test_prune_takes_what_does_not_run(api):
    ended = api.engine.containers[CONTAINERS[1]].replaced(state=ContainerState(status="exited"))
    api.engine.containers[CONTAINERS[1]] = ended
    status, body = await api.ask("POST", "/containers/prune?" + filters(until=["1m"]))
    assert body == {"ContainersDeleted": [CONTAINERS[1]], "SpaceReclaimed": 0}
    assert status == 200
    assert (await api.ask("POST", "/containers/prune"))[1]["ContainersDeleted"] is None


async def test_top_and_stats(api):
    base = f"/containers/{CONTAINERS[0]}"
    assert (await api.get(f"{base}/top?ps_args=aux"))["Processes"] == [["1", "aux"]]
    once = await api.get(f"{base}/stats?stream=0")
    assert once["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert once["cpu_stats"]["cpu_usage"]["total_usage"] == 10**9
    shot = await api.get(f"{base}/stats?stream=0&one-shot=1")
    assert shot["preread"] == "0001-01-01T00:00:00Z"
    async with api.stream(f"{base}/stats") as answer:
        assert len(lines(await answer.read())) == 2


async def test_images(api):
    (image,) = await api.get("/images/json")
    assert image["RepoTags"] == ["myweb:latest"]
    assert "VirtualSize" not in image
    assert "VirtualSize" in (await api.get("/v1.41/images/json"))[0]
    assert (await api.get("/images/myweb/json"))["Id"] == image["Id"]
    assert len(await api.get("/images/myweb:latest/history")) == 1
    assert (await api.ask("POST", "/images/myweb/tag?repo=h:5000/a/b&tag=1")) == (201, b"")
    assert (await api.get("/images/h:5000/a/b:1/json"))["Id"] == image["Id"]
    removed = (await api.ask("DELETE", "/images/myweb:latest"))[1]
    assert removed == [{"Untagged": "myweb:latest"}, {"Deleted": image["Id"]}]
    assert (await api.ask("GET", "/images/myweb/json"))[0] == 404


async def test_import_load_and_save(api):
    path = "/images/create?fromSrc=-&repo=bb&tag=1&changes=CMD%20a&changes=ENV%20b%3Dc&message=m"
    async with api.session.post(f"http://d{path}", data=b"tar" * 200_000) as answer:
        (line,) = lines(await answer.read())
        assert line["status"].startswith("sha256:")
    status, body = await api.ask("POST", "/images/load", data=b"archive")
    assert (status, body) == (200, {"stream": "Loaded image: loaded:latest\n"})
    assert api.engine.received == [b"tar" * 200_000, b"archive"]
    assert (await api.ask("GET", "/images/get?names=bb:1"))[1] == line["status"].encode()
    assert (await api.ask("GET", "/images/bb:1/get"))[1] == line["status"].encode()
    assert (await api.ask("GET", "/images/get"))[0] == 400
    assert (await api.ask("GET", "/images/nope/get"))[0] == 404
    assert (await api.ask("POST", "/images/create"))[0] == 400
    async with api.session.post("http://d/images/create?fromSrc=x.test/a.tar", data=b"") as answer:
        first, last = lines(await answer.read())
    assert first["status"] == "Downloading from http://x.test/a.tar"
    assert last["status"].startswith("sha256:")


async def test_pull(api):
    api.engine.registry["nginx:1"] = RegistryImage()
    auth = urlsafe_b64encode(b'{"username":"u","password":"p"}').decode()
    url = "http://d/images/create?fromImage=nginx&tag=1&platform=linux/arm64"
    async with api.session.post(url, headers={"X-Registry-Auth": auth}) as answer:
        first, last = lines(await answer.read())
    assert first["progressDetail"] == {"current": 1, "total": 2}
    assert last["status"].startswith("Status: Downloaded")
    assert api.engine.calls == [
        ("pull", "nginx:1", "linux/arm64", RegistryAuth(username="u", password="p"))
    ]


async def test_a_pull_that_fails_at_once_has_a_status_and_a_later_one_a_line(api):
    assert (await api.ask("POST", "/images/create?fromImage=nope&tag=1"))[0] == 404
    async with api.session.post("http://d/images/create?fromImage=broken&tag=1") as answer:
        assert answer.status == 200
        _, last = lines(await answer.read())
    message = "the connection to the registry broke"
    assert last == {"errorDetail": {"message": message}, "error": message}


async def test_image_prune(api):
    body = (await api.ask("POST", "/images/prune"))[1]
    assert body == {"ImagesDeleted": None, "SpaceReclaimed": 0}
    body = (await api.ask("POST", "/images/prune?" + filters(dangling=["false"])))[1]
    assert len(body["ImagesDeleted"]) == 1


async def test_distribution(api):
    api.engine.registry["h:5000/a/b:1"] = RegistryImage(digest="sha256:00", media_type="m", size=7)
    assert await api.get("/distribution/h:5000/a/b:1/json") == {
        "Descriptor": {"mediaType": "m", "digest": "sha256:00", "size": 7},
        "Platforms": [],
    }
    assert (await api.ask("GET", "/distribution/nope/json"))[0] == 500


async def test_auth(api):
    api.engine.credentials["u"] = "p"
    status, body = await api.ask("POST", "/auth", json={"username": "u", "password": "p"})
    assert (status, body["Status"]) == (200, "Login Succeeded")
    assert (await api.ask("POST", "/auth", json={"username": "u", "password": "x"}))[0] == 401


async def test_clients_of_today_are_told_that_networks_have_ipv4(api):
    for path in ("/v1.47/networks", "/networks"):
        networks = await api.get(path)
        assert {network["EnableIPv4"] for network in networks} == {True}
        for network in networks:
            assert (await api.get(f"{path}/{network['Id']}"))["EnableIPv4"] is True
    assert not any("EnableIPv4" in network for network in await api.get("/v1.46/networks"))


async def test_networks_of_both_scopes(api):
    networks = await api.get("/networks")
    assert {(n["Name"], n["Scope"]) for n in networks} == {
        ("myapp_webnet", "swarm"),
        ("bridge", "local"),
        ("host", "local"),
        ("none", "local"),
    }
    api.engine.attached[NETWORK] = {
        "c1": NetworkContainer(name="web.1", ipv4_address="10.0.1.3/24")
    }
    network = await api.get("/networks/myapp_webnet?verbose=true")
    assert network["Containers"]["c1"]["IPv4Address"] == "10.0.1.3/24"
    assert network["Services"]["web"]["VIP"] == "10.0.1.2"
    assert len(network["Services"]["web"]["Tasks"]) == 1
    assert (await api.ask("GET", "/networks/myapp_webnet?scope=local"))[0] == 404
    api.swarm.cluster = None
    assert len(await api.get("/networks")) == 3


@pytest.mark.parametrize("driver", ["overlay", "bridge", ""])
async def test_a_networks_life(api, driver):
    body = {"Name": "mine", "Driver": driver, "CheckDuplicate": True, "Labels": {"a": "b"}}
    status, made = await api.ask("POST", "/networks/create", json=body)
    assert (status, made["Warning"]) == (201, "")
    assert (await api.ask("POST", "/networks/create", json=body)) == (
        409,
        {"message": "network with name mine already exists"},
    )
    network = await api.get(f"/networks/{made['Id'][:12]}")
    assert network["Driver"] == (driver or "bridge")
    assert network["Labels"] == {"a": "b"}
    assert await api.ask("DELETE", "/networks/mine") == (204, b"")
    assert (await api.ask("DELETE", "/networks/mine"))[0] == 404


async def test_what_cannot_be_removed(api):
    assert await api.ask("DELETE", "/networks/bridge") == (
        403,
        {"message": "bridge is a pre-defined network and cannot be removed"},
    )


async def test_network_prune_takes_what_nothing_uses(api):
    identity = NetworkId("d" * 64)
    api.engine.networks[identity] = NodeNetwork(id=identity, name="docker_gwbridge", created=MOMENT)
    await api.ask("POST", "/networks/create", json={"Name": "idle"})
    await api.ask("POST", "/networks/create", json={"Name": "idle-overlay", "Driver": "overlay"})
    assert (await api.ask("POST", "/networks/prune?" + filters(until=["1h"])))[1] == {
        "NetworksDeleted": None
    }
    body = (await api.ask("POST", "/networks/prune"))[1]
    assert body == {"NetworksDeleted": ["idle-overlay", "idle"]}


async def test_connect_and_disconnect(api):
    body = {"Container": "c", "EndpointConfig": None}
    assert (await api.ask("POST", "/networks/myapp_webnet/connect", json=body))[0] == 200
    body = {"Container": "c", "Force": True}
    assert (await api.ask("POST", "/networks/myapp_webnet/disconnect", json=body))[0] == 200
    assert [call[0] for call in api.engine.calls] == ["connect", "disconnect"]


async def test_volumes(api):
    status, volume = await api.ask(
        "POST", "/volumes/create", json={"Name": "data", "Labels": {"a": "b"}}
    )
    assert status == 201
    assert volume["CreatedAt"] == "2024-05-06T07:08:09Z"
    assert (await api.get("/volumes"))["Volumes"] == [volume] == [await api.get("/volumes/data")]
    assert (await api.get("/volumes?" + filters(name=["x"])))["Volumes"] == []
    assert (await api.ask("POST", "/volumes/prune"))[1]["VolumesDeleted"] is None
    assert (await api.ask("POST", "/v1.41/volumes/prune"))[1]["VolumesDeleted"] == ["data"]
    assert (await api.ask("DELETE", "/volumes/data"))[0] == 404
    assert (await api.ask("DELETE", "/volumes/data?force=1"))[0] == 204


@pytest.mark.parametrize(("query", "steps"), [("", 1), ("?all=true", 2)])
async def test_the_build_cache_is_pruned(api, query, steps):
    status, answer = await api.ask("POST", f"/build/prune{query}")
    assert status == 200
    assert (len(answer["CachesDeleted"]), answer["SpaceReclaimed"]) == (steps, 100 * steps)


async def test_the_rest(api):
    assert (await api.get("/version"))["ApiVersion"] == "1.47"
    assert (await api.get("/info"))["ContainersRunning"] == 2
    assert len((await api.get("/system/df"))["Containers"]) == 2
    assert await api.get("/plugins") == []
    assert (await api.ask("GET", "/images/search"))[0] == 501
