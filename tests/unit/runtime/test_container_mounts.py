import pytest

from hivelet.errors import InvalidParameter
from hivelet.objects.container import BindOptions, HostConfig, Mount, TmpfsOptions, VolumeOptions
from hivelet.runtime.mounts import MountSources, plan_mounts


def plan(volumes=None, files=None, subpaths=None, recursive_readonly=False, **host):
    return plan_mounts(
        HostConfig(**host),
        MountSources(
            volumes=volumes or {},
            files=files or {},
            subpaths=subpaths or {},
            recursive_readonly=recursive_readonly,
        ),
    )


def by_target(planned):
    return {mount["destination"]: mount for mount in planned.mounts}


def test_defaults_in_order():
    assert [mount["destination"] for mount in plan().mounts] == [
        "/proc",
        "/dev",
        "/dev/pts",
        "/sys",
        "/sys/fs/cgroup",
        "/dev/mqueue",
        "/dev/shm",
    ]
    assert plan().root_propagation == ""


@pytest.mark.parametrize(("size", "option"), [(0, "size=67108864"), (4096, "size=4096")])
def test_shared_memory(size, option):
    assert option in by_target(plan(shm_size=size))["/dev/shm"]["options"]


def test_no_ipc_no_shared_memory():
    assert "/dev/shm" not in by_target(plan(ipc_mode="none"))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("/a:/b", ["rbind", "rprivate"]),
        ("/a:/b:ro", ["rbind", "ro", "rprivate"]),
        ("/a:/b/:rw,z", ["rbind", "rprivate"]),
        ("/a:/b:ro,rslave", ["rbind", "ro", "rslave"]),
    ],
)
def test_bind(text, options):
    assert by_target(plan(binds=[text]))["/b"] == {
        "destination": "/b",
        "type": "bind",
        "source": "/a",
        "options": options,
    }


@pytest.mark.parametrize(
    "text",
    [
        "/a",
        "/a:",
        ":/b",
        "/a:b",
        "/a:/",
        "/a:/b:odd",
        "/a:/b:rw,ro",
        "/a:/b:shared,slave",
        "a:/b",
        "/a:/b:ro:x",
    ],
)
def test_bad_bind(text):
    with pytest.raises(InvalidParameter):
        plan(binds=[text])


def test_named_volume():
    planned = by_target(plan(binds=["data:/b"], volumes={"data": "/var/volumes/data"}))
    assert planned["/b"]["source"] == "/var/volumes/data"


def test_mounts():
    mounts = [
        Mount(
            type="bind",
            source="/a",
            target="/1",
            read_only=True,
            bind_options=BindOptions(non_recursive=True),
        ),
        Mount(type="volume", source="v", target="/2", volume_options=VolumeOptions(subpath="x")),
        Mount(type="tmpfs", target="/3", tmpfs_options=TmpfsOptions(size_bytes=4096, mode=0o1777)),
        Mount(type="tmpfs", target="/4", read_only=True),
    ]
    planned = by_target(plan(mounts=mounts, volumes={"v": "/vol"}, subpaths={"/2": "/run/part"}))
    assert planned["/1"]["options"] == ["bind", "ro", "private"]
    assert planned["/2"]["source"] == "/run/part"
    assert planned["/3"]["options"] == ["noexec", "nosuid", "nodev", "mode=1777", "size=4096"]
    assert planned["/4"]["options"] == ["noexec", "nosuid", "nodev", "ro"]


@pytest.mark.parametrize(
    "mount",
    [
        Mount(type="npipe", source="/a", target="/b"),
        Mount(type="volume", source="unknown", target="/b"),
        Mount(type="bind", source="/a", target="/b", bind_options=BindOptions(propagation="odd")),
        Mount(type="bind", source="/a", target="b"),
    ],
)
def test_bad_mount(mount):
    with pytest.raises(InvalidParameter):
        plan(mounts=[mount])


@pytest.mark.parametrize(
    ("options", "can", "expected"),
    [
        (BindOptions(), True, "rro"),
        (BindOptions(), False, "ro"),
        (BindOptions(read_only_non_recursive=True), True, "ro"),
        (BindOptions(read_only_force_recursive=True), True, "rro"),
    ],
)
def test_read_only_is_recursive_where_it_can_be(options, can, expected):
    mount = Mount(type="bind", source="/a", target="/b", read_only=True, bind_options=options)
    planned = plan(mounts=[mount], recursive_readonly=can)
    assert by_target(planned)["/b"]["options"] == ["rbind", expected, "rprivate"]


def test_recursively_read_only_by_name_is_refused_where_it_cannot_be():
    forced = BindOptions(read_only_force_recursive=True)
    mount = Mount(type="bind", source="/a", target="/b", read_only=True, bind_options=forced)
    with pytest.raises(InvalidParameter, match="/b cannot be recursively read-only"):
        plan(mounts=[mount])


def test_tmpfs_options_by_name():
    mount = Mount(type="tmpfs", target="/t", tmpfs_options=TmpfsOptions(options=[["exec"]]))
    assert by_target(plan(mounts=[mount]))["/t"]["options"] == ["nosuid", "nodev", "exec"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", ["noexec", "nosuid", "nodev"]),
        ("exec", ["nosuid", "nodev", "exec"]),
        ("size=1k,mode=700,size=2k", ["noexec", "nosuid", "nodev", "mode=700", "size=2k"]),
        ("ro,rw", ["noexec", "nosuid", "nodev", "rw"]),
    ],
)
def test_the_last_tmpfs_option_wins(options, expected):
    assert by_target(plan(tmpfs={"/t": options}))["/t"]["options"] == expected


def test_files_replace_the_images():
    planned = by_target(plan(files={"/etc/hosts": "/run/c/hosts"}))
    assert planned["/etc/hosts"]["options"] == ["rbind", "rprivate"]


def test_a_users_mount_replaces_a_default_and_a_file():
    planned = plan(binds=["/x:/dev/shm", "/y:/etc/hosts"], files={"/etc/hosts": "/run/c/hosts"})
    targets = [mount["destination"] for mount in planned.mounts]
    assert targets.count("/dev/shm") == targets.count("/etc/hosts") == 1
    assert by_target(planned)["/etc/hosts"]["source"] == "/y"


def test_a_users_dev_replaces_all_below_it():
    assert not {"/dev/pts", "/dev/shm", "/dev/mqueue"} & set(by_target(plan(binds=["/dev:/dev"])))


def test_parents_come_before_children():
    targets = [mount["destination"] for mount in plan(binds=["/x:/a/b/c", "/y:/a"]).mounts]
    assert targets.index("/a") < targets.index("/a/b/c")


def test_a_read_only_root_keeps_what_programs_must_write():
    planned = by_target(plan(readonly_rootfs=True, tmpfs={"/run": ""}))
    for target in ("/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/run"):
        assert "ro" not in planned[target]["options"]
    assert "ro" in planned["/sys"]["options"]


def test_privileged_may_write_to_sys():
    planned = by_target(plan(privileged=True))
    assert "rw" in planned["/sys"]["options"]
    assert "rw" in planned["/sys/fs/cgroup"]["options"]


@pytest.mark.parametrize(
    ("binds", "propagation"),
    [
        (["/a:/b:rshared", "/c:/d:rslave"], "shared"),
        (["/c:/d:slave"], "rslave"),
        (["/a:/b:private"], ""),
    ],
)
def test_root_propagation_follows_the_mounts(binds, propagation):
    assert plan(binds=binds).root_propagation == propagation
