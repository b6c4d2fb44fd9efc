"""Service specs with every field that the API knows, generated from the structs themselves, as the JSON of a client.

A field that is added to a struct is generated from then on; only what must be valid together is said by hand (`_BY_HAND`).
"""

import types
import typing

import hypothesis.strategies as st
import msgspec

from hivelet.objects.common import Driver
from hivelet.objects.container import (
    BindOptions,
    DeviceMapping,
    Healthcheck,
    Mount,
    TmpfsOptions,
    Ulimit,
    VolumeDriverConfig,
    VolumeOptions,
)
from hivelet.objects.network import NetworkAttachmentConfig
from hivelet.objects.service import (
    EndpointSpec,
    GlobalJobMode,
    GlobalMode,
    ReplicatedJobMode,
    ReplicatedMode,
    ServiceMode,
    ServiceSpec,
    UpdateConfig,
)
from hivelet.objects.task import (
    AppArmorOpts,
    ConfigReference,
    ContainerSpec,
    DnsConfig,
    Limit,
    Placement,
    PlacementPreference,
    PortConfig,
    Privileges,
    Resources,
    RestartPolicy,
    SeccompOpts,
    SecretReference,
    SecretReferenceFile,
    TaskSpec,
)

SECOND = 10**9
MIB = 2**20
NETWORKS = ("net", "other")
SECRETS = ("key", "password")
CONFIGS = ("app", "proxy")

words = st.sampled_from(["", "a", "b-c", "d.e"])
some = st.sampled_from(["a", "b-c", "d.e"])
durations = st.sampled_from([0, SECOND // 100, 3 * SECOND])
bytes_ = st.sampled_from([0, 4 * MIB, 64 * MIB])
nano_cpus = st.sampled_from([0, SECOND // 4, SECOND])


def choice(*values):
    return st.sampled_from(values)


_MOUNT_OPTIONS = {"bind": BindOptions, "volume": VolumeOptions, "tmpfs": TmpfsOptions}


@st.composite
def mounts(draw):
    """Mounts whose options are those of their kind."""
    found = []
    for target in draw(st.lists(choice("/a", "/b", "/c"), unique=True, max_size=2)):
        kind = draw(choice(*_MOUNT_OPTIONS))
        options = draw(st.none() | whole(_MOUNT_OPTIONS[kind]))
        found.append(
            Mount(
                type=kind,
                source={"bind": "/srv", "volume": "data", "tmpfs": ""}[kind],
                target=target,
                read_only=draw(st.booleans()),
                consistency=draw(choice("", "cached")),
                **{f"{kind}_options": options},
            )
        )
    return found


@st.composite
def references(draw, kind, names):
    """Secrets or configs of the cluster, each in a file of its own. The id comes when the cluster is there."""
    noun = "secret" if kind is SecretReference else "config"
    return [
        kind(
            file=draw(whole(SecretReferenceFile)).replaced(name=f"/run/{name}"),
            **{f"{noun}_name": name, f"{noun}_id": f"id of {name}"},
        )
        for name in draw(st.lists(choice(*names), unique=True))
    ]


def ports():
    """Published ports that go together."""
    port = whole(PortConfig)
    return st.lists(port, max_size=2, unique_by=lambda port: port.published_port)


def networks():
    """Places in different networks."""
    return st.lists(whole(NetworkAttachmentConfig), max_size=2, unique_by=lambda n: n.target)


modes = st.one_of(
    st.just(ServiceMode()),
    st.builds(ServiceMode, replicated=st.builds(ReplicatedMode, replicas=choice(None, 0, 1, 1, 2))),
    st.just(ServiceMode(global_=GlobalMode())),
    st.just(ServiceMode(global_job=GlobalJobMode())),
    st.builds(
        ServiceMode,
        replicated_job=st.builds(
            ReplicatedJobMode, max_concurrent=choice(None, 1, 2), total_completions=choice(None, 2)
        ),
    ),
)

_BY_HAND = {
    (ServiceSpec, "name"): lambda: st.just("web"),
    (ServiceSpec, "mode"): lambda: modes,
    (ServiceSpec, "networks"): lambda: st.just([]),
    (TaskSpec, "container_spec"): lambda: whole(ContainerSpec),
    (TaskSpec, "networks"): networks,
    (TaskSpec, "runtime"): lambda: choice("", "container"),
    (TaskSpec, "log_driver"): lambda: choice(
        None, Driver(name="json-file"), Driver(name="json-file", options={"max-size": "1m"})
    ),
    (NetworkAttachmentConfig, "target"): lambda: choice(*NETWORKS),
    (NetworkAttachmentConfig, "driver_opts"): lambda: st.just({}),
    (ContainerSpec, "image"): lambda: choice("web:1", "example.org/team/web:2.0"),
    (ContainerSpec, "env"): lambda: st.lists(choice("A=1", "B=", "C"), max_size=2),
    (ContainerSpec, "hostname"): lambda: choice("", "web", "{{.Task.Slot}}"),
    (ContainerSpec, "hosts"): lambda: st.lists(choice("10.0.0.1 db", "::1 x"), max_size=2),
    (ContainerSpec, "dir"): lambda: choice("", "/srv"),
    (DnsConfig, "nameservers"): lambda: st.lists(choice("192.0.2.53", "2001:db8::53"), max_size=2),
    (DnsConfig, "search"): lambda: st.lists(choice("example.org"), max_size=1),
    (DnsConfig, "options"): lambda: st.lists(choice("ndots:2", "edns0"), max_size=2),
    (NetworkAttachmentConfig, "aliases"): lambda: st.lists(choice("a", "b.c"), max_size=2),
    (VolumeDriverConfig, "name"): lambda: choice("", "local"),
    (VolumeDriverConfig, "options"): lambda: choice({}, {"type": "tmpfs", "device": "tmpfs"}),
    (VolumeOptions, "subpath"): lambda: choice("", "a/b"),
    (BindOptions, "read_only_force_recursive"): lambda: st.just(False),
    (TmpfsOptions, "options"): lambda: choice([], [["exec"]]),
    (ContainerSpec, "groups"): lambda: st.lists(choice("1", "staff"), max_size=2),
    (ContainerSpec, "mounts"): mounts,
    (ContainerSpec, "isolation"): lambda: choice("", "default"),
    (ContainerSpec, "stop_signal"): lambda: choice("", "SIGTERM", "SIGQUIT"),
    (ContainerSpec, "stop_grace_period"): lambda: choice(None, 0, SECOND, 10 * SECOND),
    (ContainerSpec, "sysctls"): lambda: choice({}, {"net.core.somaxconn": "1024"}),
    (ContainerSpec, "capability_add"): lambda: st.lists(choice("CAP_NET_ADMIN"), max_size=1),
    (ContainerSpec, "capability_drop"): lambda: st.lists(choice("CAP_CHOWN"), max_size=1),
    (ContainerSpec, "secrets"): lambda: references(SecretReference, SECRETS),
    (ContainerSpec, "configs"): lambda: references(ConfigReference, CONFIGS),
    (ContainerSpec, "ipc_mode"): lambda: choice("", "private", "host"),
    (ContainerSpec, "pid_mode"): lambda: choice("", "host"),
    (ContainerSpec, "uts_mode"): lambda: choice("", "host"),
    (ContainerSpec, "userns_mode"): lambda: choice("", "host"),
    (ContainerSpec, "cgroupns_mode"): lambda: choice("", "private", "host"),
    (ContainerSpec, "security_opt"): lambda: st.lists(choice("no-new-privileges"), max_size=1),
    (ContainerSpec, "device_cgroup_rules"): lambda: st.lists(choice("c 7:* rmw"), max_size=1),
    (ContainerSpec, "shm_size"): lambda: choice(0, 2**26),
    (DeviceMapping, "path_on_host"): lambda: choice("/dev/null", "/dev/fuse"),
    (ContainerSpec, "ulimits"): lambda: st.lists(whole(Ulimit), max_size=1),
    (Ulimit, "name"): lambda: st.just("nofile"),
    (Ulimit, "soft"): lambda: choice(0, 100),
    (Ulimit, "hard"): lambda: choice(100, 200),
    (Privileges, "credential_spec"): lambda: st.none(),
    (SeccompOpts, "mode"): lambda: choice("", "default", "unconfined"),
    (SeccompOpts, "profile"): lambda: st.just(""),
    (AppArmorOpts, "mode"): lambda: choice("", "default", "disabled"),
    (SecretReferenceFile, "uid"): lambda: choice("0", "1000"),
    (SecretReferenceFile, "gid"): lambda: choice("0", "1000"),
    (SecretReferenceFile, "mode"): lambda: choice(0, 0o400, 0o444),
    (BindOptions, "propagation"): lambda: choice("", "rprivate", "rshared"),
    (TmpfsOptions, "mode"): lambda: choice(0, 0o1777),
    (Healthcheck, "test"): lambda: choice([], ["NONE"], ["CMD", "true"], ["CMD-SHELL", "true"]),
    (Healthcheck, "interval"): lambda: durations,
    (Healthcheck, "timeout"): lambda: durations,
    (Healthcheck, "start_period"): lambda: durations,
    (Healthcheck, "start_interval"): lambda: durations,
    (Limit, "nano_cpus"): lambda: nano_cpus,
    (Limit, "memory_bytes"): lambda: bytes_,
    (Resources, "nano_cpus"): lambda: nano_cpus,
    (Resources, "memory_bytes"): lambda: bytes_,
    (RestartPolicy, "condition"): lambda: choice("", "none", "on-failure", "any"),
    (RestartPolicy, "delay"): lambda: choice(None, 0, SECOND),
    (RestartPolicy, "window"): lambda: choice(None, 0, SECOND),
    (Placement, "constraints"): lambda: st.lists(
        choice("node.role==manager", "node.labels.a!=b"), max_size=2, unique=True
    ),
    (PlacementPreference, "spread"): lambda: st.just({"SpreadDescriptor": "node.labels.zone"}),
    (Placement, "platforms"): lambda: st.just([]),
    (UpdateConfig, "failure_action"): lambda: choice("", "pause", "continue"),
    (UpdateConfig, "order"): lambda: choice("", "stop-first", "start-first"),
    (UpdateConfig, "delay"): lambda: durations,
    (UpdateConfig, "monitor"): lambda: choice(None, 0, SECOND),
    (UpdateConfig, "max_failure_ratio"): lambda: choice(0.0, 0.5, 1.0),
    (EndpointSpec, "mode"): lambda: choice("", "vip"),
    (EndpointSpec, "ports"): ports,
    (PortConfig, "protocol"): lambda: choice("", "tcp", "udp"),
    (PortConfig, "target_port"): lambda: choice(80, 443),
    (PortConfig, "published_port"): lambda: choice(0, 8000, 8001),
    (PortConfig, "publish_mode"): lambda: choice("", "ingress", "host"),
    (PortConfig, "host_ip"): lambda: choice("", "127.0.0.1"),
}


def whole(shape):
    """Any value of a struct; each of its fields is generated."""
    hints = typing.get_type_hints(shape)
    parts = {}
    for field in msgspec.structs.fields(shape):
        by_hand = _BY_HAND.get((shape, field.name))
        parts[field.name] = by_hand() if by_hand else _any(hints[field.name])
    return st.builds(shape, **parts)


def _any(hint):
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        (inner,) = [arg for arg in args if arg is not types.NoneType]
        return st.none() | _any(inner)
    if origin is list:
        return st.lists(_any(args[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(some, _any(args[1]), max_size=2)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return whole(hint)
    return {str: words, int: st.integers(0, 3), bool: st.booleans(), float: choice(0.0, 0.5)}[hint]


def _for_jobs(spec):
    """A job's spec without what jobs are refused."""
    if not spec.mode.is_job:
        return spec
    restart = spec.task_template.restart_policy
    if restart is not None and restart.condition in ("", "any"):
        restart = restart.replaced(condition="on-failure")
    template = spec.task_template.replaced(restart_policy=restart)
    return spec.replaced(task_template=template, update_config=None, rollback_config=None)


full_specs = whole(ServiceSpec).map(_for_jobs)
"""Valid in a cluster that has the networks, secrets and configs named above."""
