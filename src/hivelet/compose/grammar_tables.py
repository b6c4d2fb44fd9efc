"""Every key of a stack file: what it takes and what becomes of it. Data only.

It is what `docker stack` reads (compose 3.0 to 3.13), whatever `version` the file states, and the keys of today's Compose
Specification beyond that, so that none is dropped in silence. One table for each section; `FILE` is the whole.
"""

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
    NUMBER,
    OPTIONS,
    SIZE,
    STRING,
    STRING_OR_LIST,
    STRINGS,
    Fields,
    Key,
    ListOf,
    MapOf,
    OneOf,
    Rule,
    Scalar,
    honoured,
    ignored,
    refused,
)

_LIMITS = "set it under deploy.resources instead"
_NOT_IN_SERVICES = "services of a swarm do not have it"

UPDATE = Fields(
    honoured(
        parallelism=COUNT,
        delay=DURATION,
        failure_action=Scalar(("string",), choices=("continue", "rollback", "pause")),
        monitor=DURATION,
        max_failure_ratio=NUMBER,
        order=Scalar(("string",), choices=("start-first", "stop-first")),
    ),
    extensions=False,
)

_CPUS = Scalar(("string", "number"), check="cpus")
RESOURCES = Fields(
    {
        "limits": Key(Fields(honoured(cpus=_CPUS, memory=SIZE, pids=INTEGER), extensions=False)),
        "reservations": Key(
            Fields(
                {
                    **honoured(cpus=_CPUS, memory=SIZE),
                    "generic_resources": Key(
                        ListOf(
                            Fields(
                                honoured(
                                    discrete_resource_spec=Fields(
                                        honoured(kind=STRING, value=INTEGER), extensions=False
                                    )
                                ),
                                extensions=False,
                            )
                        )
                    ),
                    "devices": ignored(ANYTHING, _NOT_IN_SERVICES),
                },
                extensions=False,
            )
        ),
    },
    extensions=False,
)

DEPLOY = Fields(
    {
        **honoured(
            mode=Scalar(
                ("string",), choices=("replicated", "global", "replicated-job", "global-job")
            ),
            endpoint_mode=Scalar(("string",), choices=("vip", "dnsrr")),
            replicas=COUNT,
            labels=LIST_OR_MAP,
            update_config=UPDATE,
            rollback_config=UPDATE,
            resources=RESOURCES,
            restart_policy=Fields(
                honoured(
                    condition=Scalar(("string",), choices=("none", "on-failure", "any")),
                    delay=DURATION,
                    max_attempts=COUNT,
                    window=DURATION,
                ),
                extensions=False,
            ),
            placement=Fields(
                honoured(
                    constraints=ListOf(STRING, unique=False),
                    preferences=ListOf(Fields(honoured(spread=STRING), extensions=False)),
                    max_replicas_per_node=COUNT,
                ),
                extensions=False,
            ),
        ),
    },
    extensions=False,
)

PORT = OneOf(
    (
        Scalar(("integer", "string"), check="port"),
        Fields(
            {
                **honoured(
                    mode=Scalar(("string",), choices=("ingress", "host")),
                    target=Scalar(("integer",), minimum=1),
                    published=Scalar(("integer", "string"), check="published", minimum=0),
                    protocol=Scalar(("string",), choices=("tcp", "udp", "sctp")),
                    host_ip=STRING,
                ),
                "name": ignored(STRING, "a port has no name here"),
                "app_protocol": ignored(STRING, "the balancer does not look into connections"),
            },
            required=("target",),
        ),
    )
)

VOLUME_MOUNT = OneOf(
    (
        Scalar(("string",), check="volume"),
        Fields(
            {
                **honoured(
                    type=Scalar(
                        ("string",), choices=("volume", "bind", "tmpfs", "npipe", "cluster")
                    ),
                    source=STRING,
                    target=STRING,
                    read_only=BOOLEAN,
                    consistency=STRING,
                    volume=Fields(
                        {
                            **honoured(nocopy=BOOLEAN, subpath=STRING),
                            "labels": ignored(LIST_OR_MAP, "label the volume at the top level"),
                        }
                    ),
                    tmpfs=Fields(
                        honoured(size=Scalar(("integer", "string"), check="size"), mode=INTEGER)
                    ),
                ),
                "bind": Key(
                    Fields(
                        {
                            **honoured(propagation=STRING, create_host_path=BOOLEAN),
                            "recursive": ignored(STRING, "bind mounts are recursive here"),
                            "selinux": ignored(STRING, _NOT_IN_SERVICES),
                        }
                    )
                ),
                "cluster": Key(Fields({})),
                "image": ignored(ANYTHING, "images are not mounted here"),
            },
            required=("type",),
        ),
    )
)

FILE_REFERENCE = OneOf(
    (
        STRING,
        Fields(
            honoured(source=STRING, target=STRING, uid=STRING, gid=STRING, mode=INTEGER),
            ("source",),
        ),
    )
)

DEPENDENCY = Fields(
    {
        **honoured(
            condition=Scalar(
                ("string",),
                choices=("service_started", "service_healthy", "service_completed_successfully"),
            )
        ),
        "restart": ignored(BOOLEAN, "a service is not restarted with the one it depends on"),
        "required": ignored(BOOLEAN, "a service that is not in the file never blocks another"),
    },
    required=("condition",),
)

ENV_FILE = OneOf(
    (
        STRING,
        ListOf(
            OneOf(
                (
                    STRING,
                    Fields(honoured(path=STRING, required=BOOLEAN, format=STRING), ("path",)),
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
                **honoured(aliases=STRINGS, driver_opts=OPTIONS),
                **{
                    name: ignored(
                        STRING, "tasks of a service get their addresses from the network's pool"
                    )
                    for name in ("ipv4_address", "ipv6_address", "mac_address")
                },
                "link_local_ips": ignored(STRINGS, _NOT_IN_SERVICES),
                "priority": ignored(INTEGER, _NOT_IN_SERVICES),
                "gw_priority": ignored(INTEGER, _NOT_IN_SERVICES),
                "interface_name": ignored(STRING, _NOT_IN_SERVICES),
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
    ),
    extensions=False,
)

_BUILD_KEYS = [
    "additional_contexts",
    "cache_from",
    "cache_to",
    "context",
    "dockerfile",
    "dockerfile_inline",
    "entitlements",
    "extra_hosts",
    "isolation",
    "labels",
    "network",
    "no_cache",
    "no_cache_filter",
    "platforms",
    "privileged",
    "provenance",
    "pull",
    "sbom",
    "secrets",
    "shm_size",
    "ssh",
    "tags",
    "target",
    "ulimits",
]
BUILD = OneOf(
    (
        STRING,
        Fields({**honoured(args=LIST_OR_MAP), **honoured(**dict.fromkeys(_BUILD_KEYS, ANYTHING))}),
    )
)

_HONOURED = honoured(
    cap_add=STRINGS,
    cap_drop=STRINGS,
    command=COMMAND,
    configs=ListOf(FILE_REFERENCE),
    credential_spec=Fields(honoured(config=STRING, file=STRING, registry=STRING), extensions=False),
    depends_on=OneOf((STRINGS, MapOf(DEPENDENCY))),
    deploy=OneOf((NULL, DEPLOY)),
    dns=STRING_OR_LIST,
    dns_search=STRING_OR_LIST,
    entrypoint=COMMAND,
    env_file=ENV_FILE,
    environment=LIST_OR_MAP,
    extra_hosts=LIST_OR_MAP,
    healthcheck=HEALTHCHECK,
    hostname=STRING,
    image=STRING,
    init=BOOLEAN,
    isolation=STRING,
    labels=LIST_OR_MAP,
    logging=Fields(
        honoured(driver=STRING, options=MapOf(Scalar(("string", "number", "null")))),
        extensions=False,
    ),
    networks=OneOf((STRINGS, MapOf(SERVICE_NETWORK, names=True))),
    oom_score_adj=INTEGER,
    ports=ListOf(PORT),
    read_only=BOOLEAN,
    restart=STRING,
    secrets=ListOf(FILE_REFERENCE),
    stdin_open=BOOLEAN,
    stop_grace_period=DURATION,
    stop_signal=STRING,
    sysctls=LIST_OR_MAP,
    tmpfs=STRING_OR_LIST,
    tty=BOOLEAN,
    ulimits=MapOf(
        OneOf(
            (
                INTEGER,
                Fields(honoured(soft=INTEGER, hard=INTEGER), ("soft", "hard"), extensions=False),
            )
        )
    ),
    user=STRING,
    volumes=ListOf(VOLUME_MOUNT),
    working_dir=STRING,
)

_CPU_AND_MEMORY: dict[str, Rule] = {
    **dict.fromkeys(
        ("cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_shares", "cpus"), ANYTHING
    ),
    **dict.fromkeys(
        ("cpu_rt_period", "cpu_rt_runtime", "cpuset", "mem_limit", "mem_reservation"), ANYTHING
    ),
    **dict.fromkeys(("mem_swappiness", "memswap_limit", "pids_limit"), ANYTHING),
}

_IGNORED = {
    "annotations": ignored(LIST_OR_MAP, _NOT_IN_SERVICES),
    "attach": ignored(BOOLEAN, "`stack deploy` attaches to nothing"),
    "blkio_config": ignored(ANYTHING, _NOT_IN_SERVICES),
    "build": ignored(
        BUILD, "images are not built here; build it and load it, or push it to a registry"
    ),
    "cgroup": ignored(STRING, _NOT_IN_SERVICES),
    "cgroup_parent": ignored(STRING, _NOT_IN_SERVICES),
    "cgroupns_mode": ignored(STRING, _NOT_IN_SERVICES),
    "container_name": ignored(STRING, "containers are named after their tasks"),
    "device_cgroup_rules": ignored(STRINGS, _NOT_IN_SERVICES),
    "devices": ignored(ListOf(ANYTHING, unique=False), _NOT_IN_SERVICES),
    "develop": ignored(ANYTHING, "it is for development with `docker compose`"),
    "dns_opt": ignored(STRINGS, _NOT_IN_SERVICES),
    "domainname": ignored(STRING, _NOT_IN_SERVICES),
    "expose": ignored(
        ListOf(Scalar(("string", "number"))),
        "services of one network reach all ports of each other",
    ),
    "external_links": ignored(STRINGS, "put both services into one network"),
    "gpus": ignored(ANYTHING, _NOT_IN_SERVICES),
    "group_add": ignored(ListOf(Scalar(("string", "number"))), _NOT_IN_SERVICES),
    "ipc": ignored(STRING, _NOT_IN_SERVICES),
    "label_file": ignored(ANYTHING, "write the labels into the file"),
    "links": ignored(STRINGS, "services of one network know each other by name"),
    "mac_address": ignored(STRING, _NOT_IN_SERVICES),
    "models": ignored(ANYTHING, _NOT_IN_SERVICES),
    "network_mode": ignored(STRING, "use `networks`"),
    "oom_kill_disable": ignored(BOOLEAN, _NOT_IN_SERVICES),
    "pid": ignored(Scalar(("string", "null")), _NOT_IN_SERVICES),
    "platform": ignored(STRING, "constrain the node with deploy.placement"),
    "post_start": ignored(ANYTHING, _NOT_IN_SERVICES),
    "pre_stop": ignored(ANYTHING, _NOT_IN_SERVICES),
    "privileged": ignored(BOOLEAN, _NOT_IN_SERVICES),
    "profiles": ignored(STRINGS, "every service of the file is deployed"),
    "pull_policy": ignored(STRING, "an image that is here is not pulled again"),
    "runtime": ignored(STRING, _NOT_IN_SERVICES),
    "scale": ignored(INTEGER, "use deploy.replicas"),
    "security_opt": ignored(STRINGS, _NOT_IN_SERVICES),
    "shm_size": ignored(Scalar(("number", "string")), "mount a tmpfs at /dev/shm"),
    "storage_opt": ignored(ANYTHING, _NOT_IN_SERVICES),
    "use_api_socket": ignored(BOOLEAN, _NOT_IN_SERVICES),
    "userns_mode": ignored(STRING, _NOT_IN_SERVICES),
    "uts": ignored(STRING, _NOT_IN_SERVICES),
    **{name: ignored(rule, _LIMITS) for name, rule in _CPU_AND_MEMORY.items()},
}

_REFUSED = {
    "extends": refused("use a YAML anchor (`&name` and `<<: *name`), or several files with -c"),
    "provider": refused("services are containers here"),
    "volume_driver": refused(
        "declare the volume under the top-level `volumes` and give it a driver there"
    ),
    "volumes_from": refused(
        "name a volume under the top-level `volumes` and mount it in both services"
    ),
}

SERVICE = Fields({**_HONOURED, **_IGNORED, **_REFUSED})

_EXTERNAL = OneOf((BOOLEAN, Fields(honoured(name=STRING), extensions=False)))

NETWORK = Fields(
    {
        **honoured(
            name=STRING,
            driver=STRING,
            driver_opts=OPTIONS,
            external=_EXTERNAL,
            internal=BOOLEAN,
            attachable=BOOLEAN,
            labels=LIST_OR_MAP,
            enable_ipv6=BOOLEAN,
            ipam=Fields(
                {
                    **honoured(
                        driver=STRING,
                        config=ListOf(
                            Fields(
                                honoured(
                                    subnet=STRING,
                                    gateway=STRING,
                                    ip_range=STRING,
                                    aux_addresses=MapOf(STRING),
                                ),
                            )
                        ),
                        options=OPTIONS,
                    ),
                },
            ),
        ),
        "enable_ipv4": ignored(BOOLEAN, "IPv4 is always on"),
    }
)

VOLUME = Fields(
    honoured(
        name=STRING, driver=STRING, driver_opts=OPTIONS, external=_EXTERNAL, labels=LIST_OR_MAP
    )
)

_FILE_OBJECT = honoured(
    name=STRING,
    file=STRING,
    environment=STRING,
    external=_EXTERNAL,
    labels=LIST_OR_MAP,
    template_driver=STRING,
)
SECRET = Fields({**_FILE_OBJECT, **honoured(driver=STRING, driver_opts=OPTIONS)})
CONFIG = Fields({**_FILE_OBJECT, **honoured(content=STRING)})

FILE = Fields(
    {
        "version": Key(STRING),
        "services": Key(OneOf((NULL, MapOf(SERVICE, names=True)))),
        "networks": Key(OneOf((NULL, MapOf(OneOf((NULL, NETWORK)), names=True)))),
        "volumes": Key(OneOf((NULL, MapOf(OneOf((NULL, VOLUME)), names=True)))),
        "secrets": Key(OneOf((NULL, MapOf(SECRET, names=True)))),
        "configs": Key(OneOf((NULL, MapOf(CONFIG, names=True)))),
        "name": ignored(STRING, "the stack is named on the command line"),
        "include": refused("give the files with several -c"),
        "models": ignored(ANYTHING, "services of a swarm do not have it"),
    }
)
