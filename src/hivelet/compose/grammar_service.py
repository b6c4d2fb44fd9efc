"""The keys of a service: what each takes and what becomes of it. Data only."""

from __future__ import annotations

from hivelet.compose.grammar import (
    ANYTHING,
    BOOLEAN,
    COMMAND,
    COUNT,
    DURATION,
    INTEGER,
    LIST_OR_MAP,
    NULL,
    OPTIONS,
    PATH,
    SIZE,
    STRING,
    STRING_OR_LIST,
    STRINGS,
    Fields,
    Key,
    ListOf,
    MapOf,
    OneOf,
    Scalar,
    choice,
    daemon,
    differs,
    honoured,
    ignored,
    kept,
    refused,
)
from hivelet.compose.grammar_deploy import (
    BUILD,
    DEPLOY,
    DEVELOP,
    EXTRA_HOSTS,
    FILE_REFERENCE,
    GPUS,
    HOOK,
    NO_DEVICE_DRIVERS,
    ULIMITS,
)

_LIMITS = "set it under deploy.resources instead"
_FROM_POOL = "tasks of a service get their addresses from the network's pool"
_WAITS = "Docker Swarm waits for nothing; see [dependencies](differences.md#dependencies)"

PORT = OneOf(
    (
        Scalar(("integer", "string"), check="port"),
        Fields(
            {
                **honoured(
                    mode=choice("ingress", "host"),
                    target=Scalar(("integer",), minimum=1, maximum=65535),
                    published=Scalar(("integer", "string"), check="published", minimum=0),
                    protocol=choice("tcp", "udp", "sctp"),
                ),
                "host_ip": differs(
                    STRING,
                    "the port is bound to that address alone; Docker Swarm binds it to all of them",
                ),
                "name": ignored(STRING, "a port has no name here"),
                "app_protocol": ignored(STRING, "the balancer does not look into connections"),
            },
            required=("target",),
        ),
    )
)

_VOLUME_OPTIONS = Fields(honoured(nocopy=BOOLEAN, subpath=STRING, labels=LIST_OR_MAP))
_BIND_OPTIONS = Fields(
    {
        **honoured(
            propagation=choice("private", "rprivate", "shared", "rshared", "slave", "rslave"),
            create_host_path=BOOLEAN,
            recursive=choice("enabled", "disabled", "writable", "readonly"),
        ),
        "selinux": ignored(choice("z", "Z"), "files are not relabelled here"),
    }
)
VOLUME_MOUNT = OneOf(
    (
        Scalar(("string",), check="volume"),
        Fields(
            {
                "type": differs(
                    choice("volume", "bind", "tmpfs", "npipe", "cluster", "image"),
                    "`npipe`, `cluster` and `image` are refused",
                ),
                **honoured(source=STRING, target=STRING, read_only=BOOLEAN),
                "consistency": ignored(STRING, "it is for macOS"),
                **honoured(
                    volume=_VOLUME_OPTIONS,
                    tmpfs=Fields(
                        honoured(
                            size=Scalar(("integer", "string"), check="size", minimum=0),
                            mode=Scalar(("integer", "string"), check="mode"),
                        )
                    ),
                    bind=_BIND_OPTIONS,
                    cluster=Fields({}),
                ),
                "image": refused("images are not mounted here", Fields(honoured(subpath=STRING))),
            },
            required=("type",),
        ),
    )
)

DEPENDENCY = Fields(
    {
        "condition": differs(
            choice("service_started", "service_healthy", "service_completed_successfully"), _WAITS
        ),
        "restart": ignored(BOOLEAN, "a service is not restarted with the one it depends on"),
        "required": Key(
            BOOLEAN, note="`false`: nothing is said where the service is not in the file"
        ),
    },
    required=("condition",),
)

ENV_FILE = OneOf(
    (
        PATH,
        ListOf(
            OneOf(
                (
                    PATH,
                    Fields(
                        {
                            **honoured(path=PATH, required=BOOLEAN),
                            "format": Key(
                                choice("raw"),
                                note="`raw`: lines as they stand; left out: quotes and variables as in `.env`",
                            ),
                        },
                        ("path",),
                    ),
                )
            )
        ),
    )
)

SERVICE_NETWORK = OneOf(
    (
        NULL,
        Fields(
            {
                **honoured(aliases=STRINGS),
                "driver_opts": kept(OPTIONS, "give options to the network itself"),
                **{
                    name: ignored(STRING, _FROM_POOL)
                    for name in ("ipv4_address", "ipv6_address", "mac_address")
                },
                "link_local_ips": ignored(STRINGS, _FROM_POOL),
                "priority": ignored(INTEGER, "networks are joined in the order of their names"),
                "gw_priority": ignored(INTEGER, "the way out is docker_gwbridge"),
                "interface_name": ignored(STRING, "interfaces are named eth0, eth1, …"),
            },
        ),
    )
)

HEALTHCHECK = Fields(
    honoured(
        disable=BOOLEAN,
        interval=DURATION,
        retries=COUNT,
        test=OneOf((STRING, ListOf(STRING, unique=False))),
        timeout=DURATION,
        start_period=DURATION,
        start_interval=DURATION,
    )
)

_DEVICE = OneOf(
    (
        Scalar(("string",), check="device"),
        Fields(honoured(source=STRING, target=STRING, permissions=STRING), ("source",)),
    )
)

_BLKIO_RATE = ListOf(Fields(honoured(path=STRING, rate=SIZE)))
_NO_BLKIO_DEVICES = "only the weight of the service as a whole can be set"
BLKIO = Fields(
    {
        "weight": daemon(Scalar(("integer",), minimum=0, maximum=1000)),
        "weight_device": ignored(
            ListOf(Fields(honoured(path=STRING, weight=INTEGER))), _NO_BLKIO_DEVICES
        ),
        **{
            f"device_{way}_{unit}": ignored(_BLKIO_RATE, _NO_BLKIO_DEVICES)
            for way in ("read", "write")
            for unit in ("bps", "iops")
        },
    }
)

EXTENDS = OneOf((STRING, Fields(honoured(service=STRING, file=PATH), ("service",))))
_PROVIDER = Fields(honoured(type=STRING, options=MapOf(ANYTHING)), ("type",))
_MODELS = OneOf(
    (STRINGS, MapOf(OneOf((NULL, Fields(honoured(endpoint_var=STRING, model_var=STRING))))))
)
_LOGGING = Fields(honoured(driver=STRING, options=MapOf(Scalar(("string", "number", "null")))))

_AS_SWARM = {
    "build": differs(BUILD, "by `stack build` and `stack deploy --build` alone"),
    **honoured(cap_add=STRINGS, cap_drop=STRINGS, command=COMMAND, configs=ListOf(FILE_REFERENCE)),
    "credential_spec": differs(
        Fields(honoured(config=STRING, file=STRING, registry=STRING)),
        "it is for Windows: hivelet's daemon refuses it",
    ),
    "depends_on": differs(OneOf((STRINGS, MapOf(DEPENDENCY, names=True))), _WAITS),
    **honoured(
        deploy=OneOf((NULL, DEPLOY)),
        dns=STRING_OR_LIST,
        dns_opt=STRINGS,
        dns_search=STRING_OR_LIST,
        entrypoint=COMMAND,
    ),
    "env_file": Key(ENV_FILE),
    **honoured(
        environment=LIST_OR_MAP,
        extends=EXTENDS,
        extra_hosts=EXTRA_HOSTS,
        group_add=ListOf(Scalar(("string", "number"))),
    ),
    "healthcheck": differs(
        HEALTHCHECK, "within `start_period` checks come sooner; see [tasks](differences.md#tasks)"
    ),
    **honoured(hostname=STRING),
    "image": differs(STRING, "named as it stands: the command line does not pin it to a digest"),
    "init": differs(BOOLEAN, "the init is the package tini's"),
    "isolation": differs(STRING, "`default` only; the rest is for Windows, and refused"),
    **honoured(label_file=OneOf((PATH, ListOf(PATH))), labels=LIST_OR_MAP),
    "logging": differs(
        _LOGGING,
        "`json-file`, `local` and `none`; others are refused; see [logs](differences.md#logs)",
    ),
    **honoured(networks=OneOf((STRINGS, MapOf(SERVICE_NETWORK, names=True)))),
    "oom_score_adj": Key(Scalar(("integer",), minimum=-1000, maximum=1000)),
    "platform": Key(
        Scalar(("string",), check="platform"), note="as a constraint on the node's platform"
    ),
    **honoured(ports=ListOf(PORT)),
    "profiles": Key(
        STRINGS, note="without `--profile` or `COMPOSE_PROFILES` the service is left out"
    ),
    **honoured(read_only=BOOLEAN),
    "restart": differs(STRING, "instead of `deploy.restart_policy`; `no` restarts, as in Docker"),
    "scale": Key(COUNT, note="as `deploy.replicas`, where that is not given"),
    **honoured(secrets=ListOf(FILE_REFERENCE)),
    **honoured(stdin_open=BOOLEAN),
    **honoured(stop_grace_period=DURATION, stop_signal=STRING, sysctls=LIST_OR_MAP),
    "tmpfs": Key(STRING_OR_LIST, note="of its options `size` and `mode`"),
    **honoured(
        tty=BOOLEAN,
        ulimits=ULIMITS,
        user=STRING,
        volumes=ListOf(VOLUME_MOUNT),
        working_dir=STRING,
    ),
}

_INSTEAD_OF_DEPLOY = {
    "cpus": Key(
        Scalar(("number", "string"), check="cpus"),
        note="as `deploy.resources.limits.cpus`, where that is not given",
    ),
    "mem_limit": Key(SIZE, note="as `deploy.resources.limits.memory`, where that is not given"),
    "mem_reservation": Key(
        SIZE, note="as `deploy.resources.reservations.memory`, where that is not given"
    ),
    "pids_limit": Key(INTEGER, note="as `deploy.resources.limits.pids`, where that is not given"),
}

_BY_THE_DAEMON = {
    "blkio_config": Key(BLKIO),
    "cgroup": daemon(choice("host", "private")),
    "cgroup_parent": daemon(STRING, "below the cgroup of all of hivelet's containers"),
    "cgroupns_mode": daemon(choice("host", "private"), "the name of `cgroup` in compose 3"),
    "cpu_period": daemon(INTEGER),
    "cpu_quota": daemon(INTEGER),
    "cpu_shares": daemon(INTEGER),
    "cpuset": daemon(STRING),
    "device_cgroup_rules": daemon(STRINGS),
    "devices": daemon(ListOf(_DEVICE, unique=False), "the node must have the device"),
    "domainname": daemon(STRING),
    "ipc": daemon(STRING, "`host`, `private`, `shareable` and `none`; others are refused"),
    "mem_swappiness": daemon(Scalar(("integer",), minimum=0, maximum=100)),
    "memswap_limit": daemon(
        Scalar(("integer", "string"), check="swap"), "memory and swap together; -1 is no limit"
    ),
    "oom_kill_disable": daemon(BOOLEAN, "where the host has cgroup v1"),
    "pid": daemon(Scalar(("string", "null")), "`host`; others are refused"),
    "privileged": daemon(BOOLEAN),
    "security_opt": daemon(
        STRINGS,
        "`no-new-privileges` and `seccomp`; `apparmor` and `label` where the kernel has such a module: none so far",
    ),
    "shm_size": daemon(SIZE),
    "userns_mode": daemon(STRING, "`host`, which is how all containers run; others are refused"),
    "uts": daemon(choice("host")),
}

_NO_CONTAINER_LINKS = "services of one network know each other by name"
_IGNORED = {
    "annotations": ignored(LIST_OR_MAP, "use `labels`"),
    "attach": ignored(BOOLEAN, "`stack deploy` attaches to nothing"),
    "container_name": ignored(STRING, "containers are named after their tasks"),
    "cpu_count": ignored(COUNT, _LIMITS),
    "cpu_percent": ignored(Scalar(("integer",), minimum=0, maximum=100), _LIMITS),
    "cpu_rt_period": ignored(Scalar(("number", "string")), _LIMITS),
    "cpu_rt_runtime": ignored(Scalar(("number", "string")), _LIMITS),
    "develop": ignored(DEVELOP, "it is for development with `docker compose`"),
    "expose": ignored(
        ListOf(Scalar(("string", "number"))),
        "services of one network reach all ports of each other",
    ),
    "external_links": ignored(STRINGS, "put both services into one network"),
    "gpus": ignored(GPUS, NO_DEVICE_DRIVERS),
    "links": ignored(STRINGS, _NO_CONTAINER_LINKS),
    "mac_address": ignored(STRING, _FROM_POOL),
    "models": ignored(_MODELS, "models are not run here; give its address in `environment`"),
    "network_mode": ignored(STRING, "use `networks`"),
    "post_start": ignored(ListOf(HOOK, unique=False), "let the entrypoint do it"),
    "pre_stop": ignored(
        ListOf(HOOK, unique=False),
        "let the program do it at its stop_signal, within stop_grace_period",
    ),
    "pull_policy": ignored(STRING, "an image that is here is not pulled again"),
    "pull_refresh_after": ignored(STRING, "an image that is here is not pulled again"),
    "runtime": ignored(STRING, "the node has one runtime for all containers"),
    "storage_opt": ignored(MapOf(ANYTHING), "containers share the space of the node's disk"),
    "use_api_socket": ignored(BOOLEAN, "mount the socket under `volumes`"),
}

_REFUSED = {
    "pre_start": refused(
        "make it a service of its own with `deploy.mode: replicated-job`, and wait for it with "
        "depends_on: {condition: service_completed_successfully}",
        ListOf(HOOK, unique=False),
    ),
    "provider": refused("services are containers here", _PROVIDER),
    "volume_driver": refused(
        "declare the volume under the top-level `volumes` and give it a driver there"
    ),
    "volumes_from": refused(
        "name a volume under the top-level `volumes` and mount it in both services", STRINGS
    ),
}

SERVICE = Fields({**_AS_SWARM, **_INSTEAD_OF_DEPLOY, **_BY_THE_DAEMON, **_IGNORED, **_REFUSED})
