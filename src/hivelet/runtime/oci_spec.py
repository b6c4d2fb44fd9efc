"""A container's `config.json`: Docker's defaults, the container's configuration and the host's facts, in one OCI spec.

Decides only; whatever must be looked up (users, devices, volumes, the machine) comes in through `OciInput`. The same input
gives the same spec, and two runtimes (runc, crun) accept it on cgroup v1 and v2.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from hivelet.errors import InvalidParameter, Unavailable
from hivelet.objects.common import ContainerId
from hivelet.objects.container import ContainerConfig, HostConfig
from hivelet.objects.hidden_paths import MASKED_PATHS, READONLY_PATHS
from hivelet.runtime.capabilities import assign_capabilities
from hivelet.runtime.cgroups import Device, cgroup_path, linux_resources
from hivelet.runtime.mounts import MountSources, plan_mounts
from hivelet.runtime.seccomp import Subject, default_profile, load_profile

OCI_VERSION = "1.0.2"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT_IN_CONTAINER = "/sbin/docker-init"
UNLIMITED = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What the machine allows. `hivelet.runtime.host.read_host_facts` reads it; tests write it down."""

    architecture: str
    kernel: tuple[int, int]
    cgroup_version: int
    swap_limit: bool
    capabilities: frozenset[str]
    hard_limits: Mapping[str, int] = field(default_factory=dict)
    """Our own hard resource limits by lower-case name ("nofile"); -1 is none."""
    recursive_readonly: bool = False
    """Whether a mount can be read-only with all that is mounted below it."""
    init_path: str | None = None
    """A static init for `init: true`, such as tini or catatonit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessUser:
    """Who the first process is, looked up in the image's passwd and group files."""

    uid: int = 0
    gid: int = 0
    additional_gids: tuple[int, ...] = ()
    home: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class OciInput:
    """All that a spec is made from. `config` already has the image's defaults merged in."""

    id: ContainerId
    config: ContainerConfig
    host: HostConfig
    facts: HostFacts
    rootfs: str
    cgroup_parent: str
    user: ProcessUser = ProcessUser()
    hostname: str = ""
    netns: str | None = ""
    """Path of the network namespace to join; "" makes a new, empty one; None shares the host's."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Host files mounted over the image's, by path in the container: `/etc/hosts`, `/etc/resolv.conf` …"""
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Where each named volume used by `host.binds` and `host.mounts` lies on the host."""
    subpaths: Mapping[str, str] = field(default_factory=dict)
    """Where those parts of volumes are bound that `host.mounts` asks for, by path in the container."""
    single_files: Collection[str] = ()
    """Where what `host.mounts` asks for is no directory, by path in the container."""
    shared_memory: str = ""
    """Where the `/dev/shm` lies that is shared with other containers; empty where it has its own."""
    inherited: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Flags that those mounts keep from the host's, by path in the container."""
    devices: tuple[Device, ...] = ()
    block_limits: Mapping[str, Any] = field(default_factory=dict)
    """Rates and weights of block devices, as `linux.resources.blockIO` has them."""
    joined: Mapping[str, str] = field(default_factory=dict)
    """Namespaces of other containers to join, by type ("pid", "ipc"): the path in `/proc`."""
    init: bool = False
    """Whether the daemon's default is an init; `host.init` overrides it."""


def build_oci_spec(given: OciInput) -> dict[str, Any]:
    """The contents of `config.json` for one container.

    Raises:
        InvalidParameter: the configuration contradicts itself, or asks for what the machine cannot give.
        Unavailable: an init is asked for and none is installed.
    """
    host = given.host
    capabilities = assign_capabilities(
        add=host.cap_add,
        drop=host.cap_drop,
        privileged=host.privileged,
        available=given.facts.capabilities,
    )
    files = dict(given.files)
    args = _args(given)
    if _wants_init(given):
        args, files[INIT_IN_CONTAINER] = _with_init(args, given.facts)
    plan = plan_mounts(
        host,
        MountSources(
            volumes=given.volumes,
            subpaths=given.subpaths,
            files=files,
            single_files=given.single_files,
            inherited=given.inherited,
            shared_memory=given.shared_memory,
            recursive_readonly=given.facts.recursive_readonly,
        ),
    )
    spec: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": _process(given, args, capabilities),
        "root": {"path": given.rootfs, "readonly": host.readonly_rootfs},
        "mounts": list(plan.mounts),
        "linux": _linux(given, capabilities),
    }
    if given.hostname and host.uts_mode != "host":
        spec["hostname"] = given.hostname
    if host.annotations:
        spec["annotations"] = dict(host.annotations)
    if plan.root_propagation:
        spec["linux"]["rootfsPropagation"] = plan.root_propagation
    return spec


def _args(given: OciInput) -> list[str]:
    args = [*(given.config.entrypoint or ()), *(given.config.cmd or ())]
    if not args or not args[0]:
        raise InvalidParameter("no command specified: neither the image nor the service has one")
    return args


def _wants_init(given: OciInput) -> bool:
    wanted = given.init if given.host.init is None else given.host.init
    # In another's pid namespace there is an init already.
    return wanted and not given.host.pid_mode


def _with_init(args: list[str], facts: HostFacts) -> tuple[list[str], str]:
    if facts.init_path is None:
        raise Unavailable(
            "an init process is asked for (init: true) but none is installed: install the package tini or catatonit"
        )
    return [INIT_IN_CONTAINER, "--", *args], facts.init_path


def _process(given: OciInput, args: list[str], capabilities: tuple[str, ...]) -> dict[str, Any]:
    user = given.user
    names = list(capabilities)
    return {
        "terminal": given.config.tty,
        "user": _user(user),
        "args": args,
        "env": build_environment(given.config, hostname=given.hostname, home=user.home),
        "cwd": given.config.working_dir or "/",
        # Inheritable stays empty: a program with file capabilities must not gain them (CVE-2022-24769).
        "capabilities": {"bounding": names, "effective": names, "permitted": names},
        "rlimits": _rlimits(given),
        "noNewPrivileges": _security(given.host).no_new_privileges,
        "oomScoreAdj": given.host.oom_score_adj,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecInput:
    """Another process for a container: what differs from its first one. None and "" take over what that has."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    user: ProcessUser | None = None
    cwd: str = ""
    terminal: bool = False
    size: tuple[int, int] | None = None
    """Height and width of its terminal at the start."""
    capabilities: tuple[str, ...] | None = None
    """All that it has; a privileged one has more than the first process."""


def build_exec_process(first: Mapping[str, Any], given: ExecInput) -> dict[str, Any]:
    """The OCI process object of an exec, from that of the container's first process."""
    if not given.args:
        raise InvalidParameter("No exec command specified")
    names = {entry.partition("=")[0] for entry in given.env}
    kept = [entry for entry in first["env"] if entry.partition("=")[0] not in names]
    process = {
        **first,
        "args": list(given.args),
        "env": [*kept, *given.env],
        "cwd": given.cwd or first["cwd"],
        "terminal": given.terminal,
    }
    if given.user is not None:
        process["user"] = _user(given.user)
    if given.size is not None:
        process["consoleSize"] = {"height": given.size[0], "width": given.size[1]}
    if given.capabilities is not None:
        kinds = ("bounding", "effective", "permitted")
        process["capabilities"] = {kind: list(given.capabilities) for kind in kinds}
    return process


def _user(user: ProcessUser) -> dict[str, Any]:
    gids = dict.fromkeys((user.gid, *user.additional_gids))
    return {"uid": user.uid, "gid": user.gid, "additionalGids": list(gids)}


def build_environment(config: ContainerConfig, *, hostname: str, home: str) -> list[str]:
    """The environment: Docker's own variables, then the container's, which win; a name without "=" unsets."""
    variables = {"PATH": DEFAULT_PATH}
    if hostname:
        variables["HOSTNAME"] = hostname
    if config.tty:
        variables["TERM"] = "xterm"
    for entry in config.env:
        name, equals, value = entry.partition("=")
        if equals:
            variables[name] = value
        else:
            variables.pop(name, None)
    variables.setdefault("HOME", home)
    return [f"{name}={value}" for name, value in variables.items()]


def _rlimits(given: OciInput) -> list[dict[str, Any]]:
    may_raise = "CAP_SYS_RESOURCE" in given.facts.capabilities
    limits: list[dict[str, Any]] = []
    for ulimit in given.host.ulimits:
        ceiling = _limit(given.facts.hard_limits.get(ulimit.name, -1))
        hard, soft = _limit(ulimit.hard), _limit(ulimit.soft)
        if soft > hard:
            raise InvalidParameter(
                f"ulimit soft limit must be less than or equal to hard limit: {ulimit.soft} > {ulimit.hard}"
            )
        if not may_raise:
            # Without CAP_SYS_RESOURCE the kernel refuses (EPERM) to go above the limit we have ourselves, and the
            # container would not start at all; a lower limit is what it gets.
            hard, soft = min(hard, ceiling), min(soft, ceiling)
        limits.append({"type": f"RLIMIT_{ulimit.name.upper()}", "soft": soft, "hard": hard})
    return limits


def _limit(value: int) -> int:
    return UNLIMITED if value < 0 else value


def _linux(given: OciInput, capabilities: tuple[str, ...]) -> dict[str, Any]:
    host, facts = given.host, given.facts
    linux: dict[str, Any] = {
        "cgroupsPath": cgroup_path(given.cgroup_parent, given.id),
        "namespaces": _namespaces(given),
        "resources": linux_resources(
            host,
            cgroup_version=facts.cgroup_version,
            swap_limit=facts.swap_limit,
            devices=given.devices,
            block_limits=given.block_limits,
        ),
        "sysctl": _sysctls(given),
        "devices": [_device(device) for device in given.devices],
        "maskedPaths": _paths(host.masked_paths, MASKED_PATHS, privileged=host.privileged),
        "readonlyPaths": _paths(host.readonly_paths, READONLY_PATHS, privileged=host.privileged),
    }
    if (profile := _seccomp(given, capabilities)) is not None:
        linux["seccomp"] = profile
    return linux


def _namespaces(given: OciInput) -> list[dict[str, str]]:
    host = given.host
    namespaces: list[dict[str, str]] = [{"type": "mount"}]
    if host.uts_mode != "host":
        namespaces.append({"type": "uts"})
    for kind, mode in (("pid", host.pid_mode), ("ipc", host.ipc_mode)):
        if kind in given.joined:
            namespaces.append({"type": kind, "path": given.joined[kind]})
        elif mode != "host":
            namespaces.append({"type": kind})
    if given.netns is not None:
        namespaces.append(
            {"type": "network", "path": given.netns} if given.netns else {"type": "network"}
        )
    private = host.cgroupns_mode or ("private" if given.facts.cgroup_version == 2 else "host")
    if private == "private":
        namespaces.append({"type": "cgroup"})
    return namespaces


def _sysctls(given: OciInput) -> dict[str, str]:
    sysctls: dict[str, str] = {}
    if given.netns is not None:
        # Docker's defaults for a namespace of its own: ping and ports below 1024 need no capability.
        sysctls["net.ipv4.ping_group_range"] = "0 2147483647"
        sysctls["net.ipv4.ip_unprivileged_port_start"] = "0"
    if given.config.domainname and given.host.uts_mode != "host":
        sysctls["kernel.domainname"] = given.config.domainname
    return {**sysctls, **given.host.sysctls}


def _device(device: Device) -> dict[str, Any]:
    return {
        "path": device.path,
        "type": device.type,
        "major": device.major,
        "minor": device.minor,
        "fileMode": device.mode,
        "uid": device.uid,
        "gid": device.gid,
    }


def _paths(given: list[str] | None, default: tuple[str, ...], *, privileged: bool) -> list[str]:
    if given is not None:
        return list(given)
    return [] if privileged else list(default)


def _seccomp(given: OciInput, capabilities: tuple[str, ...]) -> dict[str, Any] | None:
    chosen = _security(given.host).seccomp
    if given.host.privileged or chosen == "unconfined":
        return None
    subject = Subject(
        architecture=given.facts.architecture,
        capabilities=frozenset(capabilities),
        kernel=given.facts.kernel,
    )
    return default_profile(subject) if chosen in {"", "builtin"} else load_profile(chosen, subject)


@dataclass(frozen=True, slots=True)
class _Security:
    no_new_privileges: bool = False
    seccomp: str = ""


def _security(host: HostConfig) -> _Security:
    """`security_opt`, whose entries are `name`, `name=value` or, as Docker once had it, `name:value`."""
    no_new_privileges, seccomp = False, ""
    for option in host.security_opt:
        name, value = _split_option(option)
        match name:
            case "no-new-privileges":
                if value not in {"", "true", "false"}:
                    raise InvalidParameter(f'invalid --security-opt: "{option}"')
                no_new_privileges = value != "false"
            case "seccomp":
                seccomp = value
            case "apparmor" | "label":
                pass  # no effect where the kernel has no such module, as in Docker
            case "systempaths":
                pass  # the client turns this into masked_paths and readonly_paths
            case _:
                raise InvalidParameter(f'invalid --security-opt: "{option}"')
    return _Security(no_new_privileges, seccomp)


def _split_option(option: str) -> tuple[str, str]:
    equals, colon = option.find("="), option.find(":")
    cut = equals if equals >= 0 and (colon < 0 or equals < colon) else colon
    return (option, "") if cut < 0 else (option[:cut], option[cut + 1 :])
