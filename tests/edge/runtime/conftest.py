"""A container runtime of its own for each test: run directory, cgroup parent and a busybox root file system."""

import asyncio
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from hivelet.kit.clock import SystemClock
from hivelet.kit.ids import new_hex_id
from hivelet.objects.common import ContainerId
from hivelet.objects.container import ContainerConfig, HostConfig
from hivelet.runtime.cgroupfs import read_cgroup_tree
from hivelet.runtime.commands import BundlePaths, CreateOptions
from hivelet.runtime.conmon.runtime import ConmonRuntime
from hivelet.runtime.host import read_host_facts
from hivelet.runtime.oci import probe_runtime, release_leftover_controllers
from hivelet.runtime.oci_spec import OciInput, build_oci_spec

BUSYBOX = Path("/bin/busybox")
MISSING = [name for name in ("conmon", "busybox") if shutil.which(name) is None]
RUNTIMES = [name for name in ("crun", "runc") if shutil.which(name)]


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.fspath).parents:
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root"))
            elif MISSING or not RUNTIMES:
                item.add_marker(
                    pytest.mark.skip(reason=f"not installed: {MISSING or 'crun, runc'}")
                )


@dataclass
class Lab:
    """What a test makes containers with."""

    directory: Path
    parent: str
    runtime: ConmonRuntime
    facts: object

    def again(self):
        """A second daemon's view of the same containers."""
        return ConmonRuntime(
            self.runtime.runtime, "/usr/bin/conmon", read_cgroup_tree(), SystemClock()
        )

    def paths(self, container):
        bundle = self.directory / "containers" / container
        bundle.mkdir(parents=True, exist_ok=True)
        return BundlePaths(bundle=bundle, log=bundle / "container.log")

    def spec(self, container, script, host=None, **config):
        args = script if isinstance(script, list) else ["/bin/sh", "-c", script]
        return build_oci_spec(
            OciInput(
                id=container,
                config=ContainerConfig(cmd=args, **config),
                host=host or HostConfig(),
                facts=self.facts,
                rootfs=str(self.directory / "rootfs"),
                cgroup_parent=self.parent,
                hostname=container[:12],
            )
        )

    async def create(self, script, host=None, options=None, **config):
        container = ContainerId(new_hex_id())
        paths = self.paths(container)
        spec = self.spec(container, script, host, **config)
        await self.runtime.create(container, spec, paths, options or CreateOptions())
        return container, paths

    async def run(self, script, host=None, options=None, **config):
        container, paths = await self.create(script, host, options, **config)
        await self.runtime.start(container)
        return container, paths

    def leftovers(self):
        """Everything that outlives the containers: cgroups, runtime state, processes, files in bundles."""
        tree = read_cgroup_tree()
        cgroups = [
            str(child)
            for place in tree.places(self.parent)
            if place.is_dir()
            for child in place.iterdir()
            if child.is_dir()
        ]
        state = (
            os.listdir(self.runtime.runtime.root)
            if os.path.isdir(self.runtime.runtime.root)
            else []
        )
        files = [
            str(path)
            for bundle in (self.directory / "containers").glob("*")
            for path in bundle.iterdir()
            if path.name != "container.log"
        ]
        return cgroups + state + files + conmons(self.directory)


def conmons(directory):
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[0].endswith(b"conmon") and str(directory).encode() in b" ".join(words):
            found.append(entry.parent.name)
    return found


def make_rootfs(directory):
    for name in ("bin", "proc", "sys", "dev", "tmp", "etc"):
        (directory / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, directory / "bin" / "busybox")
    for name in (
        "sh",
        "sleep",
        "true",
        "echo",
        "cat",
        "id",
        "tail",
        "head",
        "kill",
        "ls",
        "env",
        "stat",
        "stty",
    ):
        (directory / "bin" / name).symlink_to("busybox")


@pytest.fixture(params=RUNTIMES)
async def lab(request, tmp_path):
    parent = f"/hivelet-test-{secrets.token_hex(4)}"
    run = tmp_path / "run"
    runtime = await probe_runtime(run, cgroup_parent=parent, names=[request.param])
    tree = read_cgroup_tree()
    make_rootfs(tmp_path / "rootfs")
    containers = ConmonRuntime(runtime, "/usr/bin/conmon", tree, SystemClock())
    made = Lab(directory=tmp_path, parent=parent, runtime=containers, facts=read_host_facts(tree))
    try:
        yield made
        for container in list(containers._containers):
            await containers.delete(container, force=True)
        assert made.leftovers() == []
    finally:
        containers.close()
        tree.remove(parent)
        # Every mount of the leftovers is one of the same hierarchy: others' are not disturbed.
        await release_leftover_controllers(run)


@pytest.fixture
def limit():
    """No test waits for ever."""
    return asyncio.timeout(20)
