import asyncio
import os
import subprocess

import pytest
from tests.edge.images.tars import (
    busybox_rootfs,
    directory,
    docker_archive,
    entry,
    in_mount_namespace,
    tar,
)

from hivelet.errors import InvalidParameter, NotFound, System
from hivelet.runtime.images.mounts import is_mounted, mount_overlay
from hivelet.runtime.images.snapshots import Snapshots
from hivelet.runtime.images.store import ImageStore
from hivelet.runtime.images.users import find_user

BASE = {".dockerenv", "etc"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


async def stream(data):
    yield data


def load(root, *layers):
    """Layers through the image store, as a container gets them."""

    async def loading():
        store = ImageStore(root)
        await store.start()
        await store.load(stream(docker_archive(list(layers))))
        names = store.layers_of(await store.resolve("web"))
        await store.close()
        return names

    return asyncio.run(loading())


@pytest.fixture
def snapshots(tmp_path):
    (tmp_path / "images" / "layers").mkdir(parents=True)
    return Snapshots(tmp_path / "containers", tmp_path / "images" / "layers")


def test_a_container_sees_all_layers_and_writes_to_its_own(snapshots, tmp_path):
    below = tar(
        directory("d", 0o700),
        entry("d/gone", b"1"),
        entry("d/stays", b"1"),
        directory("o"),
        entry("o/hidden", b"1"),
        directory("r"),
        entry("r/hidden", b"1"),
    )
    above = tar(
        directory("d", 0o700),
        entry("d/.wh.gone"),
        entry("o/.wh..wh..opq"),
        entry("o/new", b"2"),
        entry(".wh.r"),
        directory("r"),
    )
    names = load(tmp_path / "images", busybox_rootfs(), below, above)

    def body():
        rootfs = snapshots.prepare("c1", names)
        assert snapshots.mounted("c1")
        assert os.listdir(rootfs / "d") == ["stays"]
        assert os.listdir(rootfs / "o") == ["new"]
        assert os.listdir(rootfs / "r") == []
        assert find_user(rootfs, "web").uid == 1000
        command = [
            "/usr/sbin/chroot",
            rootfs,
            "/bin/sh",
            "-c",
            "echo hello > /f && read x < /f && echo $x",
        ]
        assert subprocess.run(command, capture_output=True, check=True).stdout == b"hello\n"
        assert os.listdir(snapshots.upper("c1")) == ["f"]
        (rootfs / "srv/old").unlink()
        other = snapshots.prepare("c2", names)
        assert not (other / "f").exists()
        assert (other / "srv/old").exists()
        snapshots.remove("c2")
        assert snapshots.known() == {"c1"}
        snapshots.remove("c1")
        snapshots.remove("c1")
        assert os.listdir(tmp_path / "containers") == [".base"]

    in_mount_namespace(body)


def test_a_restart_finds_mounts_and_sweeps_the_unknown(snapshots, tmp_path):
    names = load(tmp_path / "images", busybox_rootfs())

    def body():
        for container in ("live", "stopped", "unknown"):
            (snapshots.prepare(container, names) / "mine").write_text(container)
        snapshots.unmount("stopped")
        (tmp_path / "containers" / ".removing-x" / "upper").mkdir(parents=True)
        again = Snapshots(tmp_path / "containers", tmp_path / "images" / "layers")
        assert again.adopt({"live", "stopped", "new"}) == {"live"}
        assert again.known() == {"live", "stopped"}
        assert again.layers_in_use() == set(names)
        assert (again.path("live") / "mine").read_text() == "live"
        assert (again.mount("stopped") / "mine").read_text() == "stopped"
        assert again.prepare("stopped", []) == again.path("stopped")
        for container in ("live", "stopped"):
            again.remove(container)
        assert again.layers_in_use() == set()

    in_mount_namespace(body)


def test_a_hundred_and_twenty_layers_are_one_file_system(snapshots, tmp_path):
    layers = tmp_path / "images" / "layers"
    names = []
    for number in range(120):
        name = f"{number:016x}"
        (layers / name / "diff").mkdir(parents=True)
        (layers / name / "diff" / f"f{number}").touch()
        names.append(name)
    cwd = os.getcwd()

    def body():
        rootfs = snapshots.prepare("c1", names)
        assert len({*os.listdir(rootfs)} - BASE) == 120
        snapshots.remove("c1")

    in_mount_namespace(body)
    assert os.getcwd() == cwd


def test_more_layers_than_fit_are_refused(snapshots, tmp_path):
    layers = tmp_path / "images" / "layers"
    names = [f"{number:016x}" for number in range(400)]
    for name in names:
        (layers / name / "diff").mkdir(parents=True)
    with pytest.raises(System, match="more layers than the kernel can stack"):
        snapshots.prepare("c1", names)


def test_an_image_without_layers_has_what_every_container_has(snapshots):
    def body():
        root = snapshots.prepare("c1", [])
        assert {*os.listdir(root)} == BASE
        assert os.readlink(root / "etc" / "mtab") == "/proc/mounts"
        assert os.listdir(snapshots.upper("c1")) == []
        snapshots.remove("c1")

    in_mount_namespace(body)


def test_the_roots_mode_is_the_images(snapshots, tmp_path):
    names = load(tmp_path / "images", tar(directory("./", 0o711, uid=7), entry("f")))

    def body():
        found = snapshots.prepare("c1", names).stat()
        assert (found.st_mode & 0o7777, found.st_uid) == (0o711, 7)
        snapshots.remove("c1")

    in_mount_namespace(body)


def test_what_is_not_there_is_said(snapshots, tmp_path):
    with pytest.raises(NotFound, match="container c9 has no file system"):
        snapshots.mount("c9")
    with pytest.raises(System, match=r"layer .*feed.* is gone"):
        snapshots.prepare("c1", ["feed"])
    with pytest.raises(InvalidParameter, match="not a container id"):
        snapshots.path("../x")


def test_an_overlay_on_an_overlay_is_explained(tmp_path):
    for name in ("lower", "upper", "work", "merged"):
        (tmp_path / name).mkdir()

    def body():
        merged = tmp_path / "merged"
        mount_overlay(merged, [tmp_path / "lower"], tmp_path / "upper", tmp_path / "work")
        assert is_mounted(merged)
        for name in ("u", "w", "m"):
            (merged / name).mkdir()
        with pytest.raises(System, match=r"itself on an overlay.*choose a --root on ext4"):
            mount_overlay(merged / "m", [tmp_path / "lower"], merged / "u", merged / "w")

    in_mount_namespace(body)


def test_odd_characters_in_a_path_are_no_options(tmp_path):
    odd = tmp_path / "a:b,c=d"
    for name in ("lower", "upper", "work", "merged"):
        (odd / name).mkdir(parents=True)
    (odd / "lower" / "f").touch()

    def body():
        mount_overlay(odd / "merged", [odd / "lower"], odd / "upper", odd / "work")
        assert os.listdir(odd / "merged") == ["f"]

    in_mount_namespace(body)
