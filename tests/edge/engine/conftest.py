"""A real engine on a real network plane, in namespaces, directories and a cgroup of its own."""

from __future__ import annotations

import ctypes
import io
import os
import secrets
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from hivelet.engine.create import CreateContainer
from hivelet.engine.engine import Engine, EngineConfig
from hivelet.engine.registry import LegRecord, Record
from hivelet.kit.clock import SystemClock
from hivelet.network.plane import NetworkPlane
from hivelet.objects.common import NetworkId
from hivelet.objects.container import ContainerConfig, HostConfig
from hivelet.objects.endpoint import BridgeNetwork
from hivelet.objects.image import ImageImport
from hivelet.runtime.cgroupfs import read_cgroup_tree
from hivelet.runtime.oci import probe_runtime, release_leftover_controllers

_NET, _MOUNT, _FS = 0x40000000, 0x00020000, 0x00000200
_PRIVATE_RECURSIVE = 0x4000 | 0x40000
_libc = ctypes.CDLL(None, use_errno=True)

WEBNET = BridgeNetwork(
    id=NetworkId("webnet0000000000000000000"),
    name="webnet",
    subnet="10.0.1.0/24",
    gateway="10.0.1.1",
)


@pytest.fixture
def namespaces():
    """Unshare the thread that runs the test, and bring it back."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    homes = [os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY) for kind in ("net", "mnt")]
    here = os.getcwd()
    assert _libc.unshare(_NET | _MOUNT) == 0
    assert _libc.mount(None, b"/", None, _PRIVATE_RECURSIVE, None) == 0
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    yield
    # A thread that still ends shares our file system attributes, and setns refuses to move what is shared.
    assert _libc.unshare(_FS) == 0
    for home, kind in zip(homes, (_NET, _MOUNT), strict=True):
        assert _libc.setns(home, kind) == 0
        os.close(home)
    os.chdir(here)


def busybox_tar() -> bytes:
    """The smallest root file system that can run a shell script."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
        for name in ("sh", "sleep", "cat", "echo", "kill", "id"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for name in ("etc", "tmp", "data"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(directory)
        file = tarfile.TarInfo("data/seed")
        file.size, file.uid, file.mode = 5, 33, 0o640
        tar.addfile(file, io.BytesIO(b"grown"))
    return data.getvalue()


@dataclass
class Bench:
    """An engine that a test can stop and start again in the same place."""

    home: Path
    parent: str
    engine: Engine
    plane: NetworkPlane

    async def create(
        self, *command: str, name: str = "one", host: HostConfig | None = None, files=(), **config
    ) -> Record:
        image = await self.engine.ensure_image("bb:latest")
        return await self.engine.create(
            CreateContainer(
                name=name,
                config=ContainerConfig(image="bb:latest", cmd=list(command), **config),
                host=host or HostConfig(),
                image=image,
                legs=(LegRecord(network=WEBNET),),
                files=files,
            )
        )

    async def run(self, *command: str, **wishes) -> Record:
        record = await self.create(*command, **wishes)
        await self.engine.start_container(record.id)
        return self.engine.registry.find(record.id)

    def log(self, record: Record) -> str:
        path = Path(record.container.log_path)
        lines = path.read_text().splitlines()
        return "\n".join(line.split(" ", 3)[3] for line in lines)

    async def restart(self, meanwhile=lambda: None) -> None:
        """What happens when hiveletd goes and comes back."""
        await self.engine.stop()
        await self.plane.stop()
        meanwhile()
        self.engine, self.plane = await open_engine(self.home, self.parent)

    def traces(self) -> list[str]:
        """What is left of containers in the machine."""
        tree = read_cgroup_tree()
        cgroups = [
            str(p) for place in tree.places(self.parent) if place.exists() for p in place.glob("*/")
        ]
        mounts = [
            line.split()[4]
            for line in Path("/proc/self/mountinfo").read_text().splitlines()
            if str(self.home) in line and "/cgroup" not in line
        ]
        return cgroups + mounts


async def open_engine(home: Path, parent: str) -> tuple[Engine, NetworkPlane]:
    clock = SystemClock()
    plane = NetworkPlane(run=home / "run", root=home / "root", clock=clock)
    runtime = await probe_runtime(home / "run", cgroup_parent=parent)
    await plane.start()
    engine = Engine(
        EngineConfig(
            root=home / "root",
            run=home / "run",
            cgroup_parent=parent,
            runtime=runtime,
            conmon=shutil.which("conmon") or "",
            labels={},
        ),
        plane,
        clock,
    )
    await engine.start()
    await plane.resume()
    return engine, plane


@pytest.fixture
async def bench(namespaces):
    home = Path(tempfile.mkdtemp(prefix="hivelet-engine."))
    home.chmod(0o755)
    parent = f"hivelet-test-{secrets.token_hex(4)}"
    engine, plane = await open_engine(home, parent)
    rootfs = home / "bb.tar"
    rootfs.write_bytes(busybox_tar())

    async def stream():
        yield rootfs.read_bytes()

    await engine.import_image(stream(), ImageImport(reference="bb:latest"))
    laboratory = Bench(home, parent, engine, plane)
    yield laboratory
    for record in laboratory.engine.registry.all():
        await laboratory.engine.remove_container(record.id, force=True, volumes=True)
    left = laboratory.traces()
    await laboratory.engine.stop()
    await laboratory.plane.tear_down()
    await laboratory.plane.stop()
    read_cgroup_tree().remove(parent)
    await release_leftover_controllers(home / "run")
    shutil.rmtree(home)
    assert left == []
