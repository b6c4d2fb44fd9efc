"""Containers that could run on no machine are refused with the service, not task by task."""

import pytest

from hivelet.errors import InvalidParameter, NotImplemented
from hivelet.manager.controlapi.validate import validate_service
from hivelet.objects.container import (
    BindOptions,
    Mount,
    TmpfsOptions,
    Ulimit,
    VolumeDriverConfig,
    VolumeOptions,
)
from hivelet.objects.service import ServiceSpec
from hivelet.objects.task import ContainerSpec, DnsConfig, NetworkAttachmentConfig, TaskSpec


def spec(**container):
    template = TaskSpec(container_spec=ContainerSpec(image="web", **container))
    return ServiceSpec(name="web", task_template=template)


def mount(**fields):
    return {"mounts": [Mount(**{"target": "/x", **fields})]}


def volume(**options):
    return mount(source="v", volume_options=VolumeOptions(**options))


def driver(name="local", **options):
    return volume(driver_config=VolumeDriverConfig(name=name, options=options))


def bind(*, read_only=False, **options):
    return mount(type="bind", source="/a", read_only=read_only, bind_options=BindOptions(**options))


GOOD = {
    "signal": {"stop_signal": "SIGRTMAX-1"},
    "subpath": volume(subpath="a/../b"),
    "template": mount(source="{{.Service.Name}}-data"),
    "tmpfs": mount(type="tmpfs", tmpfs_options=TmpfsOptions(options=[["exec"]])),
    "tmpfs-volume": driver(type="tmpfs", device="tmpfs", o="size=10m,uid=1000"),
    "bind-volume": driver(type="none", device="/path", o="bind"),
    "recursive": bind(read_only=True, read_only_force_recursive=True),
    "capabilities": {"capability_add": ["NET_ADMIN", "all"], "capability_drop": ["CAP_CHOWN"]},
    "ulimits": {"ulimits": [Ulimit(name="nofile", soft=10, hard=-1)]},
    "grace": {"stop_grace_period": 0},
    "names": {
        "hostname": "box-{{.Task.Slot}}",
        "hosts": ["192.0.2.7 db replica", "db:2001:db8::1", "host-gateway gate"],
        "dns_config": DnsConfig(
            nameservers=["192.0.2.53", "2001:db8::53"], search=["a.test", "."], options=["ndots:2"]
        ),
    },
}

BAD = {
    "signal": ({"stop_signal": "SIGBOGUS"}, "Invalid signal: SIGBOGUS"),
    "npipe": (mount(type="npipe", source="x"), 'type "npipe": mount type unknown'),
    "cluster": (mount(type="cluster", source="x"), 'type "cluster": mount type unknown'),
    "target": (mount(target="x"), "invalid mount path: 'x' mount path must be absolute"),
    "root": (mount(target="/x/.."), "destination can't be '/'"),
    "bind-source": (mount(type="bind", source="a"), "mount path must be absolute"),
    "bind-volume-options": (
        mount(type="bind", source="/a", volume_options=VolumeOptions(no_copy=True)),
        "field VolumeOptions must not be specified",
    ),
    "volume-bind-options": (
        mount(source="v", bind_options=BindOptions(propagation="rslave")),
        "field BindOptions must not be specified",
    ),
    "volume-source": (mount(source="/a"), "must not be an absolute path: /a"),
    "anonymous-read-only": (mount(read_only=True), "must not set ReadOnly mode"),
    "propagation": (bind(propagation="odd"), "invalid propagation mode: odd"),
    "forced": (bind(read_only_force_recursive=True), "ReadOnlyForceRecursive needs ReadOnly"),
    "forced-and-not": (
        bind(read_only=True, read_only_force_recursive=True, read_only_non_recursive=True),
        "mount options conflict",
    ),
    "tmpfs-source": (mount(type="tmpfs", source="/a"), "invalid tmpfs source"),
    "tmpfs-option": (
        mount(type="tmpfs", tmpfs_options=TmpfsOptions(options=[["exec"], ["uid", "5"]])),
        "invalid option: uid=5",
    ),
    "tmpfs-value": (
        mount(type="tmpfs", tmpfs_options=TmpfsOptions(options=[["exec", "x,suid"]])),
        "invalid option: exec=x,suid",
    ),
    "subpath-up": (volume(subpath="../.."), "subpath must be a relative path within the volume"),
    "subpath-absolute": (volume(subpath="/etc"), "subpath must be a relative path"),
    "subpath-hidden": (volume(subpath="a/../../b"), "subpath must be a relative path"),
    "subpath-anonymous": (
        mount(volume_options=VolumeOptions(subpath="a")),
        "must not set Subpath when using anonymous volumes",
    ),
    "volume-option": (driver(foo="bar"), 'create v: invalid option: "foo"'),
    "volume-option-missing": (driver(type="tmpfs"), 'missing required option: "device"'),
    "directory": ({"dir": "work"}, "the working directory 'work' is invalid"),
    "cap-add": ({"capability_add": ["BOGUS"]}, 'invalid CapAdd: unknown capability: "BOGUS"'),
    "cap-drop": ({"capability_drop": ["CAP_X"]}, 'invalid CapDrop: unknown capability: "CAP_X"'),
    "ulimit": ({"ulimits": [Ulimit(name="bogus")]}, "invalid ulimit type: bogus"),
    "ulimit-order": ({"ulimits": [Ulimit(name="nofile", soft=20, hard=10)]}, "20 > 10"),
    "ulimit-unlimited": ({"ulimits": [Ulimit(name="nofile", soft=-1, hard=10)]}, "-1 > 10"),
    "oom": ({"oom_score_adj": 1001}, "range for oom score adj is [-1000, 1000]"),
    "grace": ({"stop_grace_period": -1}, "StopGracePeriod cannot be negative"),
    "env": ({"env": ["=x"]}, "invalid environment variable: =x"),
    "hostname": ({"hostname": "a\n192.0.2.1 evil"}, "invalid hostname"),
    "hostname-long": ({"hostname": "x" * 65}, "more than 64 characters"),
    "host": ({"hosts": ["junk db"]}, "invalid IP address in add-host: 'junk' (for db)"),
    "host-line": ({"hosts": ["192.0.2.7 db\n192.0.2.8 x"]}, "add-host"),
    "host-alone": ({"hosts": ["db"]}, "bad format for add-host: 'db'"),
    "dns": (
        {"dns_config": DnsConfig(nameservers=["dns.example.com"])},
        "invalid nameserver 'dns.example.com'",
    ),
    "dns-injection": (
        {"dns_config": DnsConfig(nameservers=["1.1.1.1\nlog-facility=/x"])},
        r"invalid nameserver '1.1.1.1\nlog-facility=/x'",
    ),
    "dns-zone": ({"dns_config": DnsConfig(nameservers=["fe80::1%eth0"])}, "without a zone"),
    "dns-search": ({"dns_config": DnsConfig(search=["a\nb"])}, r"invalid search domain 'a\nb'"),
    "dns-option": ({"dns_config": DnsConfig(options=["a b"])}, "invalid DNS option 'a b'"),
}


@pytest.mark.parametrize("container", GOOD.values(), ids=GOOD)
def test_what_can_be(container):
    validate_service(spec(**container))


@pytest.mark.parametrize(("container", "message"), BAD.values(), ids=BAD)
def test_what_can_not_be(container, message):
    with pytest.raises(InvalidParameter) as caught:
        validate_service(spec(**container))
    assert message in caught.value.message
    assert caught.value.message.startswith(
        "rpc error: code = InvalidArgument desc = ContainerSpec:"
    )


def test_another_volume_driver():
    with pytest.raises(NotImplemented, match='volume driver "nfs" is not available'):
        validate_service(spec(**driver("nfs")))


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("alias", ["db\n192.0.2.1", "Serial.hivelet-resolver"])
def test_aliases_are_names(old, alias):
    networks = [NetworkAttachmentConfig(target="net", aliases=[alias])]
    whole = spec()
    if old:
        whole = whole.replaced(networks=networks)
    else:
        template = whole.task_template.replaced(networks=networks)
        whole = whole.replaced(task_template=template)
    with pytest.raises(InvalidParameter, match="invalid network alias"):
        validate_service(whole)
