import pytest

from hivelet.engine.volumes.mounts import collect_mounts, parse_bind
from hivelet.errors import InvalidParameter
from hivelet.objects.container import ContainerConfig, HostConfig, Mount


def test_image_volumes_are_anonymous_unless_the_user_mounts_there():
    config = ContainerConfig(volumes={"/data": {}, "/cache": {}})
    host = HostConfig(mounts=[Mount(type="volume", source="mine", target="/data/")])
    assert [(m.type, m.source, m.target) for m in collect_mounts(config, host)] == [
        ("volume", "", "/cache"),
        ("volume", "mine", "/data"),
    ]


def test_a_mount_below_another_comes_after_it():
    host = HostConfig(binds=["/x:/a/b", "/y:/a"])
    assert [m.target for m in collect_mounts(ContainerConfig(), host)] == ["/a", "/a/b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/src:/dst", ("bind", "/src", "/dst", False)),
        ("/src:/dst:ro", ("bind", "/src", "/dst", True)),
        ("name:/dst:ro,z", ("volume", "name", "/dst", True)),
        ("/dst", ("volume", "", "/dst", False)),
    ],
)
def test_binds_are_read_as_docker_reads_them(text, expected):
    mount = parse_bind(text)
    assert (mount.type, mount.source, mount.target, mount.read_only) == expected


@pytest.mark.parametrize(
    ("host", "message"),
    [
        pytest.param(
            HostConfig(binds=["/a:rel"]), "mount path must be absolute", id="relative-target"
        ),
        pytest.param(HostConfig(binds=["/a:/"]), "destination can't be '/'", id="root"),
        pytest.param(HostConfig(binds=["/a:/b:ro:x"]), "invalid volume specification", id="parts"),
        pytest.param(HostConfig(binds=["/a:/b", "/c:/b"]), "Duplicate mount point: /b", id="twice"),
        pytest.param(
            HostConfig(mounts=[Mount(type="npipe", target="/b")]),
            'type "npipe": mount type unknown',
            id="type",
        ),
        pytest.param(
            HostConfig(mounts=[Mount(type="bind", source="x", target="/b")]),
            "must be absolute",
            id="source",
        ),
    ],
)
def test_what_cannot_be_mounted_is_named(host, message):
    with pytest.raises(InvalidParameter) as caught:
        collect_mounts(ContainerConfig(), host)
    assert message in str(caught.value)
