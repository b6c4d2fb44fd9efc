"""What containers mount: parts of volumes, volumes that are mounts, read-only trees; and that nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import pytest

from hivelet.errors import Conflict, HiveletError, InvalidParameter, NotFound
from hivelet.network.plane import NetworkPlane
from hivelet.objects.container import (
    BindOptions,
    HostConfig,
    Mount,
    TmpfsOptions,
    VolumeDriverConfig,
    VolumeOptions,
)
from hivelet.objects.volume import VolumeRequest
from hivelet.runtime.mountinfo import is_mount_point, read_mountinfo


def part(subpath: str, *, read_only: bool = False) -> HostConfig:
    options = VolumeOptions(subpath=subpath)
    return HostConfig(
        mounts=[
            Mount(
                type="volume",
                source="store",
                target="/x",
                read_only=read_only,
                volume_options=options,
            )
        ]
    )


async def store(bench) -> Path:
    volume = await bench.engine.create_volume(VolumeRequest(name="store"))
    return Path(volume.mountpoint)


def bind(source: Path, *, read_only: bool = False, **options) -> HostConfig:
    mount = Mount(
        type="bind",
        source=str(source),
        target="/x",
        read_only=read_only,
        bind_options=BindOptions(**options),
    )
    return HostConfig(mounts=[mount])


async def said(bench, script: str, **wishes) -> str:
    record = await bench.run("/bin/sh", "-c", script, **wishes)
    async with asyncio.timeout(20):
        await bench.engine.wait_exit(record.id)
    text = bench.log(record)
    await bench.engine.remove_container(record.id, force=True, volumes=True)
    return text


# ---- parts of volumes


async def test_a_part_of_a_volume(bench):
    data = await store(bench)
    (data / "a/b").mkdir(parents=True)
    (data / "a/b/file").write_text("inside\n")
    (data / "beside").symlink_to("a/b/file")
    assert await said(bench, "cat /x/file; echo more > /x/new", host=part("a/b")) == "inside"
    assert (data / "a/b/new").read_text() == "more\n"
    assert await said(bench, "cat /x", host=part("beside")) == "inside"
    assert not list((bench.home / "run/subpaths").iterdir())


@pytest.mark.parametrize("subpath", ["../../..", "/etc", "a/../../b", "..", ""])
async def test_a_part_that_is_none_by_its_words(bench, subpath):
    await store(bench)
    host = part(subpath)
    if not subpath:
        host = host.replaced(mounts=[host.mounts[0].replaced(source="")])
        host = host.replaced(
            mounts=[host.mounts[0].replaced(volume_options=VolumeOptions(subpath="a"))]
        )
    with pytest.raises(InvalidParameter, match=r"subpath must be a relative path|anonymous"):
        await bench.create("/bin/sleep", "1", host=host)
    assert bench.engine.registry.all() == []


@pytest.mark.parametrize("target", ["/", "/etc", "../../../../../..", "up/../../.."])
async def test_a_link_does_not_lead_out_of_a_volume(bench, target):
    data = await store(bench)
    (data / "up").mkdir()
    (data / "link").symlink_to(target)
    with pytest.raises(InvalidParameter, match="escapes the base directory"):
        await bench.create("/bin/sleep", "1", host=part("link"))
    assert bench.traces() == []


async def test_a_part_that_is_missing_is_named(bench):
    await store(bench)
    with pytest.raises(NotFound, match=r"cannot access path .*/no/such: no such file or directory"):
        await bench.create("/bin/sleep", "1", host=part("no/such"))


async def test_what_is_put_in_the_way_later_is_not_followed(bench):
    """Between the look and the runtime's mount somebody exchanges the directory for a link to the host."""
    data = await store(bench)
    (data / "a").mkdir()
    (data / "a/file").write_text("inside\n")
    (bench.home / "outside").mkdir()
    (bench.home / "outside/file").write_text("host\n")
    record = await bench.create("/bin/cat", "/x/file", host=part("a"))
    (data / "a").rename(data / "gone")
    (data / "a").symlink_to(bench.home / "outside")
    with pytest.raises(InvalidParameter, match="escapes the base directory"):
        await bench.engine.start_container(record.id)
    await bench.engine.remove_container(record.id, force=True, volumes=True)
    assert (bench.home / "outside/file").read_text() == "host\n"


async def test_links_exchanged_all_the_time_never_lead_out(bench):
    data = await store(bench)
    (data / "real").mkdir()
    (data / "real/file").write_text("inside\n")
    (data / "link").symlink_to("/etc")
    (data / "a").mkdir()
    swapper = subprocess.Popen(
        [
            "python3",
            "-c",
            "import ctypes,sys\n"
            "c=ctypes.CDLL(None)\n"
            "a,b=(p.encode() for p in sys.argv[1:])\n"
            "while True: c.renameat2(-100,a,-100,b,2)\n",
            str(data / "a"),
            str(data / "link"),
        ]
    )
    try:
        for _ in range(12):
            try:
                record = await bench.run("/bin/sh", "-c", "echo /x/*", host=part("a"))
            except InvalidParameter:
                await remove_all(bench)
                continue
            await bench.engine.wait_exit(record.id)
            assert bench.log(record) in {"/x/*", "/x/file"}
            await remove_all(bench)
    finally:
        swapper.kill()
        swapper.wait()


async def remove_all(bench) -> None:
    for record in bench.engine.registry.all():
        await bench.engine.remove_container(record.id, force=True, volumes=True)


async def test_a_removed_container_leaves_its_part_as_it_was(bench):
    data = await store(bench)
    (data / "a").mkdir()
    (data / "a/kept").write_text("x")
    record = await bench.run("/bin/sleep", "1000", host=part("a"))
    await bench.restart()
    place = next((bench.home / "run/subpaths" / record.id).iterdir())
    assert is_mount_point(place)
    await bench.engine.remove_container(record.id, force=True, volumes=True)
    assert (data / "a/kept").exists()
    assert not place.exists()


# ---- anonymous volumes


async def test_a_container_that_is_not_made_leaves_no_volume(bench):
    missing = Mount(type="bind", source="/no/such/place", target="/z")
    host = HostConfig(mounts=[Mount(type="volume", target="/a"), missing])
    for _ in range(3):
        with pytest.raises(InvalidParameter, match="/no/such/place"):
            await bench.create("/bin/sleep", "1", host=host, volumes={"/b": {}})
    assert await bench.engine.list_volumes() == []
    assert not list((bench.home / "root/volumes").glob("*"))


async def test_a_container_without_its_network_leaves_no_volume(bench, monkeypatch):
    async def refuse(self, request):
        raise Conflict("no address left")

    monkeypatch.setattr(NetworkPlane, "create_sandbox", refuse)
    host = HostConfig(mounts=[Mount(type="volume", target="/a")])
    with pytest.raises(Conflict, match="no address left"):
        await bench.create("/bin/sleep", "1", host=host)
    assert await bench.engine.list_volumes() == []


async def test_a_volume_that_was_there_before_stays(bench):
    await store(bench)
    missing = Mount(type="bind", source="/no/such/place", target="/z")
    host = HostConfig(mounts=[Mount(type="volume", source="store", target="/a"), missing])
    with pytest.raises(InvalidParameter, match="/no/such/place"):
        await bench.create("/bin/sleep", "1", host=host)
    assert [v.name for v in await bench.engine.list_volumes()] == ["store"]


async def test_an_anonymous_volume_is_the_same_at_every_start_and_goes_with_its_container(bench):
    host = HostConfig(mounts=[Mount(type="volume", target="/data")])
    record = await bench.run(
        "/bin/sh", "-c", "busybox rm -f /data/seed; echo run >> /data/runs", host=host
    )
    await bench.engine.wait_exit(record.id)
    await bench.engine.start_container(record.id)
    await bench.engine.wait_exit(record.id)
    (volume,) = await bench.engine.list_volumes()
    assert volume.anonymous
    # An emptied volume isn't filled from the image again.
    assert os.listdir(volume.mountpoint) == ["runs"]
    assert (Path(volume.mountpoint) / "runs").read_text() == "run\nrun\n"
    await bench.engine.remove_container(record.id, force=True, volumes=True)
    assert await bench.engine.list_volumes() == []


# ---- volumes that are mounts


def tmpfs(name="fast", options="size=1m,uid=1000,mode=700") -> HostConfig:
    driver = VolumeDriverConfig(
        name="local", options={"type": "tmpfs", "device": "tmpfs", "o": options}
    )
    mount = Mount(
        type="volume",
        source=name,
        target="/x",
        volume_options=VolumeOptions(driver_config=driver),
    )
    return HostConfig(mounts=[mount])


async def until_unmounted(bench, name="fast") -> None:
    """A container is taken down after its end is told."""
    async with asyncio.timeout(20):
        while await mounted(bench, name):
            await asyncio.sleep(0.02)


async def mounted(bench, name="fast") -> bool:
    return is_mount_point(Path((await bench.engine.get_volume(name)).mountpoint))


async def test_a_volume_in_memory_is_there_while_it_is_used(bench):
    script = "busybox stat -c '%u %a' /x; busybox df -k /x | busybox tail -n 1; exec sleep 1000"
    first = await bench.run("/bin/sh", "-c", script, name="first", host=tmpfs())
    second = await bench.run("/bin/sleep", "1000", name="second", host=tmpfs())
    assert await mounted(bench)
    await bench.engine.stop_container("first", timeout=0)
    assert bench.log(first).splitlines()[0] == "1000 700"
    assert bench.log(first).splitlines()[1].split()[1] == "1024"
    assert await mounted(bench)
    with pytest.raises(Conflict, match="volume is in use"):
        await bench.engine.remove_volume("fast", force=False)
    await bench.engine.stop_container("second", timeout=0)
    await until_unmounted(bench)
    for record in (first, second):
        await bench.engine.remove_container(record.id, force=True, volumes=True)
    await bench.engine.remove_volume("fast", force=False)
    assert not list((bench.home / "root/volumes").glob("*"))


async def test_a_directory_of_the_host_as_volume_outlives_it(bench):
    source = bench.home / "mine"
    source.mkdir()
    (source / "kept").write_text("x")
    options = {"type": "none", "o": "bind", "device": str(source)}
    await bench.engine.create_volume(VolumeRequest(name="mine", driver_opts=options))
    host = HostConfig(mounts=[Mount(type="volume", source="mine", target="/x")])
    assert await said(bench, "echo /x/*; echo new > /x/new", host=host) == "/x/kept"
    assert not await mounted(bench, "mine")
    record = await bench.run("/bin/sleep", "1000", host=host)
    with pytest.raises(Conflict):
        await bench.engine.remove_volume("mine", force=True)
    await bench.engine.remove_container(record.id, force=True, volumes=True)
    await bench.engine.remove_volume("mine", force=False)
    assert sorted(os.listdir(source)) == ["kept", "new"]


async def test_a_read_only_bind(bench):
    source = bench.home / "mine"
    source.mkdir()
    options = {"type": "none", "o": "bind,ro", "device": str(source)}
    await bench.engine.create_volume(VolumeRequest(name="mine", driver_opts=options))
    host = HostConfig(mounts=[Mount(type="volume", source="mine", target="/x")])
    await said(bench, "echo x > /x/new", host=host)
    assert os.listdir(source) == []


async def test_a_disk_as_volume(bench):
    image = bench.home / "disk"
    subprocess.run(["truncate", "-s", "8M", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-m0", image], check=True)
    found = subprocess.run(
        ["losetup", "--find", "--show", image], capture_output=True, text=True, check=False
    )
    if found.returncode != 0:
        pytest.skip(f"no loop device: {found.stderr}")
    device = found.stdout.strip()
    try:
        options = {"type": "ext4", "device": device, "o": "noatime"}
        await bench.engine.create_volume(VolumeRequest(name="disk", driver_opts=options))
        host = HostConfig(mounts=[Mount(type="volume", source="disk", target="/x")])
        await said(bench, "echo kept > /x/file", host=host)
        assert not await mounted(bench, "disk")
        assert await said(bench, "cat /x/file", host=host) == "kept"
        await bench.engine.remove_volume("disk", force=False)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


async def test_a_mount_that_the_kernel_refuses_is_told_in_words(bench):
    options = {"type": "none", "o": "bind", "device": "/no/such"}
    await bench.engine.create_volume(VolumeRequest(name="mine", driver_opts=options))
    host = HostConfig(mounts=[Mount(type="volume", source="mine", target="/x")])
    with pytest.raises(HiveletError) as caught:
        await bench.create("/bin/sleep", "1", host=host)
    assert "failed to mount local volume: mount /no/such:" in caught.value.message
    assert caught.value.message.endswith("flags: 0x1000: no such file or directory")
    assert bench.engine.registry.all() == []
    await bench.engine.remove_volume("mine", force=False)


async def test_a_password_is_not_told(bench):
    options = {"type": "cifs", "device": "//192.0.2.1/x", "o": "username=u,password=hunter2"}
    await bench.engine.create_volume(VolumeRequest(name="share", driver_opts=options))
    host = HostConfig(mounts=[Mount(type="volume", source="share", target="/x")])
    with pytest.raises(HiveletError) as caught:
        await bench.create("/bin/sleep", "1", host=host)
    assert "hunter2" not in caught.value.message


async def test_a_restarted_daemon_knows_who_uses_a_mount(bench):
    lives = await bench.run("/bin/sleep", "1000", name="lives", host=tmpfs())
    dies = await bench.run("/bin/sleep", "1000", name="dies", host=tmpfs("other"))
    pid = dies.container.state.pid
    await bench.restart(meanwhile=lambda: os.kill(pid, signal.SIGKILL))
    await bench.engine.wait_exit(dies.id)
    await until_unmounted(bench, "other")
    assert await mounted(bench)
    await bench.engine.stop_container("lives", timeout=0)
    await until_unmounted(bench)
    assert lives.id != dies.id


# ---- binds


async def test_what_lies_below_is_left_out_where_it_is_asked_for(bench):
    source = bench.home / "outer"
    (source / "inner").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", source / "inner"], check=True)
    try:
        (source / "inner/file").write_text("x")
        assert await said(bench, "echo /x/inner/*", host=bind(source)) == "/x/inner/file"
        host = bind(source, non_recursive=True)
        assert await said(bench, "echo /x/inner/*", host=host) == "/x/inner/*"
        assert (
            await said(
                bench, "echo /x/inner/*", host=bind(source, read_only=True, non_recursive=True)
            )
            == "/x/inner/*"
        )
    finally:
        subprocess.run(["umount", source / "inner"], check=True)


WRITE = (
    "for f in /x/new /x/inner/new; do (echo x > $f) 2>/dev/null && echo wrote $f; done; echo done"
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "done"),
        ({"read_only_force_recursive": True}, "done"),
        ({"read_only_non_recursive": True}, "wrote /x/inner/new\ndone"),
    ],
)
async def test_read_only_with_all_below(bench, options, expected):
    source = bench.home / "outer"
    (source / "inner").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", source / "inner"], check=True)
    try:
        assert await said(bench, WRITE, host=bind(source, read_only=True, **options)) == expected
    finally:
        subprocess.run(["umount", source / "inner"], check=True)


@pytest.mark.parametrize(
    ("propagation", "what"),
    [
        ("rslave", "a shared or slave mount"),
        ("slave", "a shared or slave mount"),
        ("rshared", "a shared mount"),
    ],
)
async def test_propagation_that_the_hosts_mount_does_not_have(bench, propagation, what):
    source = bench.home / "mine"
    source.mkdir()
    with pytest.raises(InvalidParameter) as caught:
        await bench.create("/bin/sleep", "1", host=bind(source, propagation=propagation))
    assert caught.value.message == f"path {source} is mounted on / but it is not {what}"


async def test_propagation_that_it_has(bench):
    source = bench.home / "mine"
    source.mkdir()
    subprocess.run(["mount", "--bind", source, source], check=True)
    subprocess.run(["mount", "--make-shared", source], check=True)
    try:
        await bench.run("/bin/sleep", "1000", host=bind(source, propagation="rslave"))
        (source / "later").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", source / "later"], check=True)
        (source / "later/file").write_text("x")
        (record,) = bench.engine.registry.all()
        inside = Path(f"/proc/{record.container.state.pid}/root/x/later/file")
        assert inside.exists()
        await bench.engine.remove_container(record.id, force=True, volumes=True)
    finally:
        subprocess.run(["umount", "--recursive", source], check=True)


async def test_a_tmpfs_that_programs_run_from(bench):
    options = TmpfsOptions(size_bytes=1 << 20, options=[["exec"]])
    mount = Mount(type="tmpfs", target="/x", tmpfs_options=options)
    script = "busybox cp /bin/busybox /x/echo 2>/dev/null; busybox grep -c '/x tmpfs.*noexec' /proc/mounts"
    assert await said(bench, script, host=HostConfig(mounts=[mount])) == "0"
    unknown = mount.replaced(tmpfs_options=TmpfsOptions(options=[["exec"], ["uid", "5"]]))
    with pytest.raises(InvalidParameter, match="invalid option: uid"):
        await bench.create("/bin/sleep", "1", host=HostConfig(mounts=[unknown]))


def test_nothing_of_this_is_left():
    assert not [e.target for e in read_mountinfo() if "hivelet-engine." in e.target]
