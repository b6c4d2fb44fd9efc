"""docker-py drives containers, images, volumes and networks: every method of its models is called, or listed with its reason."""

from __future__ import annotations

import gc
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container, ContainerCollection
from docker.models.images import Image, ImageCollection
from docker.models.networks import Network, NetworkCollection
from docker.models.volumes import Volume, VolumeCollection
from harness.daemons import Daemon
from harness.images import busybox_tar
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MODELS = (Container, ContainerCollection, Image, ImageCollection, Network, NetworkCollection, Volume, VolumeCollection)  # fmt: skip
ELSEWHERE = {
    "ImageCollection.build": "the tests of builds",
    "ImageCollection.prune_builds": "the tests of builds",
    "ImageCollection.get_registry_data": "the tests with a registry",
    "ImageCollection.pull": "the tests with a registry",
    "ImageCollection.push": "the tests with a registry",
    "ImageCollection.search": "asks Docker Hub, which the daemon does not do",
}


class Called:
    """Notes which methods of the models are called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: set[str] = set()
        for model in MODELS:
            for name in methods_of(model):
                monkeypatch.setattr(model, name, self._noting(model, name))

    def _noting(self, model: type[Any], name: str) -> Any:
        original = getattr(model, name)

        def call(*args: Any, **more: Any) -> Any:
            self.names.add(f"{model.__name__}.{name}")
            return original(*args, **more)

        return call


def methods_of(model: type[Any]) -> list[str]:
    """What it offers itself, without what it only names."""
    return [
        name
        for name, value in vars(model).items()
        if callable(value) and not name.startswith("_") and not isinstance(value, type)
    ]


@pytest.fixture
def client(hiveletd: Daemon) -> Iterator[docker.DockerClient]:
    """docker-py's own."""
    client = docker.DockerClient(base_url=hiveletd.host, version="auto", timeout=60)
    yield client
    client.close()


def archive(name: str, data: bytes) -> bytes:
    """A tar archive of one file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


# docker-py leaves what it streams from to the garbage collector, which finds a socket open.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_method(
    client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = Called(monkeypatch)
    the_system(client)
    images(client, tmp_path)
    networks(client)
    volumes(client)
    containers(client)
    the_rest(client)
    gc.collect()
    offered = {f"{model.__name__}.{name}" for model in MODELS for name in methods_of(model)}
    assert offered - called.names == set(ELSEWHERE)


def the_system(client: docker.DockerClient) -> None:
    assert client.ping()
    assert client.info()["OSType"] == "linux"
    assert client.version()["Os"] == "linux"
    assert set(client.df()) >= {"Images", "Containers", "Volumes", "LayersSize"}


def images(client: docker.DockerClient, folder: Path) -> None:
    client.api.import_image(str(busybox_tar(folder / "bb.tar")), repository="bb", tag="latest")
    image = client.images.get("bb:latest")
    assert image.tag("bb", "two")
    assert {"bb:latest", "bb:two"} == set(client.images.list("bb")[0].tags)
    assert image.history()[0]["Id"] == image.id
    image.reload()
    saved = b"".join(image.save(named="bb:two"))
    client.images.remove("bb:two")
    assert client.images.load(saved)[0].tags == ["bb:latest", "bb:two"]
    client.images.remove("bb:two")


def networks(client: docker.DockerClient) -> None:
    network = client.networks.create("net1", labels={"a": "b"})
    assert [each.name for each in client.networks.list(filters={"label": "a=b"})] == ["net1"]
    assert client.networks.get(network.id).attrs["Driver"] == "bridge"
    container = client.containers.run("bb", ["sleep", "1000"], detach=True)
    network.connect(container, aliases=["other"])
    container.reload()
    assert set(container.attrs["NetworkSettings"]["Networks"]) == {"bridge", "net1"}
    network.disconnect(container)
    container.remove(force=True)
    network.remove()
    client.networks.create("net2")
    assert client.networks.prune()["NetworksDeleted"] == ["net2"]


def volumes(client: docker.DockerClient) -> None:
    volume = client.volumes.create("data", labels={"a": "b"})
    assert client.volumes.get("data").attrs["Driver"] == "local"
    assert [each.name for each in client.volumes.list(filters={"label": "a=b"})] == ["data"]
    volume.remove()
    client.volumes.create()
    assert len(client.volumes.prune()["VolumesDeleted"]) == 1


def containers(client: docker.DockerClient) -> None:
    said = client.containers.run("bb", ["sh", "-c", "echo out; echo err >&2"], remove=True, stderr=True)  # fmt: skip
    assert set(said.splitlines()) == {b"out", b"err"}
    with pytest.raises(docker.errors.ContainerError, match="exit status 3"):
        client.containers.run("bb", ["sh", "-c", "exit 3"], remove=True)
    made = client.containers.create("bb", ["cat"], name="made", stdin_open=True, tty=True)
    made.start()
    assert client.containers.get("made").status == "running"
    assert [each.name for each in client.containers.list(filters={"name": "made"})] == ["made"]
    connection = made.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    connection._sock.sendall(b"typed\n")
    found = b""
    while b"typed\r\ntyped\r\n" not in found:
        found += connection._sock.recv(100)
    connection._response.close()
    connection.close()
    assert made.logs() == b"typed\r\ntyped\r\n"
    made.resize(30, 90)
    assert made.exec_run(["stty", "size"], tty=True).exit_code == 0
    assert made.exec_run(["sh", "-c", "echo $A; exit 4"], environment={"A": "b"}) == (4, b"b\n")
    assert made.put_archive("/tmp", archive("file", b"data"))
    pieces, stat = made.get_archive("/tmp/file")
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        assert tar.extractfile("file").read() == b"data"  # type: ignore[union-attr]
    assert stat["size"] == 4
    assert {"Path": "/tmp/file", "Kind": 1} in made.diff()
    assert made.top()["Processes"]
    assert made.stats(stream=False)["memory_stats"]["usage"] > 0
    assert next(iter(made.stats(stream=True, decode=True)))["id"] == made.id
    made.pause()
    made.unpause()
    made.rename("renamed")
    made.update(mem_limit="64m", memswap_limit="64m")
    made.reload()
    assert (made.name, made.attrs["HostConfig"]["Memory"]) == ("renamed", 64 << 20)
    assert made.commit("committed", "1").tags == ["committed:1"]
    with tarfile.open(fileobj=io.BytesIO(b"".join(made.export()))) as tar:
        assert "tmp/file" in tar.getnames()
    made.restart(timeout=0)
    made.kill()
    assert made.wait()["StatusCode"] == 137
    made.start()
    made.stop(timeout=0)
    made.remove()


def the_rest(client: docker.DockerClient) -> None:
    seen: list[str] = []
    stream = client.events(decode=True, filters={"type": "container"})
    listening = threading.Thread(
        target=lambda: seen.extend(event["Action"] for event in stream), daemon=True
    )
    listening.start()
    flood = client.containers.create("bb", ["sh", "-c", "seq 1000"], name="flood")
    attached: list[bytes] = []
    reading = threading.Thread(target=lambda: attached.extend(flood.attach(stream=True)))
    reading.start()
    wait_until(lambda: "attach" in seen, timeout=20, what="somebody is attached")
    flood.start()
    reading.join(20)
    assert b"".join(attached).split() == [b"%d" % n for n in range(1, 1001)]
    wait_until(lambda: "die" in seen, timeout=20, what="its end is told")
    stream.close()
    listening.join(20)
    assert [action for action in seen if action != "create"][:3] == ["attach", "start", "die"]
    assert len(client.containers.prune()["ContainersDeleted"]) == 1
    client.images.get("committed:1").remove()
    assert client.images.prune(filters={"dangling": False})["ImagesDeleted"]
