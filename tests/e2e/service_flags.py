"""Every flag of `docker service create` and `docker service update`: an example, and how it shows that it was honoured.

The table in docs/service-flags.md is made from this one, and `test_service_flags` tries each row with the docker command line.

A row shows itself in one of these ways:

    says(SCRIPT, TEXT)      the container, running SCRIPT, prints TEXT; of an update, the new task's container
    stops(SCRIPT, TEXT)     the same, and TEXT is what it has printed when it was told to stop
    has(PATH, VALUE)        `docker inspect` of the container has VALUE there, and that is all there is to it
    stored(PATH, VALUE)     the service's spec has VALUE there, nothing more is looked at; the remark says what tests the effect
    refused(WORDS)          the daemon refuses it in these words
    CLIENT                  the command line itself does it, the daemon sees nothing of it

HOSTDIR in an example is a directory with the file `a` and a file system of its own, `inner`, with the file `b`; DNS is a name
server that answers each question for an address with 192.0.2.99.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shows:
    """How a flag shows that it was honoured."""

    way: str
    where: str = ""
    value: Any = None


def says(script: str, text: str) -> Shows:
    return Shows("says", script, text)


def stops(script: str, text: str) -> Shows:
    return Shows("stops", script, text)


def stored(path: str, value: Any) -> Shows:
    return Shows("stored", path, value)


def has(path: str, value: Any) -> Shows:
    return Shows("has", path, value)


def refused(words: str) -> Shows:
    return Shows("refused", value=words)


CLIENT = Shows("client")


@dataclass(frozen=True)
class Row:
    """A flag with an example, what it shows, and what there is to say of it. `before` are flags of the service to update."""

    flag: str
    words: tuple[str, ...]
    shows: Shows
    remark: str = ""
    before: tuple[str, ...] = ()


def row(line: str, shows: Shows, remark: str = "", before: str = "") -> Row:
    words = tuple(line.split("~")) if "~" in line else tuple(line.split())
    return Row(words[0].partition("=")[0], words, shows, remark, tuple(before.split()))


SECOND = 10**9
MIB = 2**20
TEMPLATE = "TaskTemplate"
CONTAINER = "TaskTemplate.ContainerSpec"
CPU = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/cpu.max"
MEMORY = (
    "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"
)
PIDS = "cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max"
ASK = "nslookup -type=a abroad.example 2>/dev/null | grep -o 192.0.2.99"
CAPABILITIES = "grep CapEff /proc/self/status"
SIGNALS = 'for s in TERM INT USR1; do trap "echo $s; exit" $s; done; echo set'

CREATE = (
    row("--cap-add NET_ADMIN", says("grep CapEff /proc/self/status", "CapEff:\t00000000a80435fb"), "differs from the default by bit 12"),
    row("--cap-drop ALL", says("grep CapEff /proc/self/status", "CapEff:\t0000000000000000")),
    row("--config source=conf,target=/etc/app/conf,mode=0400", says("cat /etc/app/conf; stat -c %a /etc/app/conf", "settings\n400")),
    row("--constraint node.role==manager", stored(f"{TEMPLATE}.Placement.Constraints", ["node.role==manager"])),
    row("--container-label tier=web", has("Config.Labels.tier", "web")),
    row("--credential-spec file://x.json", refused("a credential spec is for Windows containers"), "for Windows"),
    row("--detach", CLIENT),
    row("--dns DNS", says(ASK, "192.0.2.99"), "names of the swarm are resolved all the same"),
    row("--dns-option timeout:7", says("grep options /etc/resolv.conf", "timeout:7 ndots:0")),
    row("--dns-search example.test", says("grep search /etc/resolv.conf", "search example.test")),
    row("--endpoint-mode dnsrr", stored("EndpointSpec.Mode", "dnsrr")),
    row("--entrypoint~sh -c 'echo called; trap exit TERM; sleep 1000 & wait'", says("", "called"), "the arguments follow it"),
    row("--env WHO=me", says("echo $WHO", "me")),
    row("--env-file ENVFILE", says("echo $FROM", "file")),
    row("--generic-resource gpu=1", says("echo $DOCKER_RESOURCE_GPU", "g0"), "what the node has is an option of hiveletd, `--node-generic-resource`"),
    row("--group nogroup", says("id -G", "0 65534")),
    row("--health-cmd~true~--health-interval~1s", has("State.Health.Status", "healthy")),
    row("--health-interval 3s", stored("TaskTemplate.ContainerSpec.Healthcheck.Interval", 3 * SECOND)),
    row("--health-retries 7", stored("TaskTemplate.ContainerSpec.Healthcheck.Retries", 7)),
    row("--health-start-interval 2s", stored("TaskTemplate.ContainerSpec.Healthcheck.StartInterval", 2 * SECOND), "the longest distance; the first checks come sooner; its effect: `tests/unit/engine`"),
    row("--health-start-period 9s", stored("TaskTemplate.ContainerSpec.Healthcheck.StartPeriod", 9 * SECOND)),
    row("--health-timeout 4s", stored("TaskTemplate.ContainerSpec.Healthcheck.Timeout", 4 * SECOND)),
    row("--host db:192.0.2.7", says("grep 192.0.2.7 /etc/hosts", "192.0.2.7\tdb")),
    row("--hostname box-{{.Task.Slot}}", says("cat /etc/hostname", "box-1"), "templates are filled in"),
    row("--init", says("cat /proc/1/comm", "docker-init"), "the package tini's"),
    row("--isolation hyperv", refused("is for Windows"), "`default` only"),
    row("--label tier=web", stored("Labels.tier", "web")),
    row("--limit-cpu 0.5", says(CPU, "50000"), "by cgroup"),
    row("--limit-memory 64M", says(MEMORY, str(64 * MIB)), "by cgroup"),
    row("--limit-pids 50", says(PIDS, "50"), "by cgroup"),
    row("--log-driver local", has("HostConfig.LogConfig.Type", "local"), "`json-file`, `local`, `none`; others are refused"),
    row("--log-opt max-size=1m --log-driver json-file", has("HostConfig.LogConfig.Config", {"max-size": "1m"}), "`max-size` and `max-file` bound the log; `labels`, `env`, `tag`, `compress` change nothing; others are refused"),
    row("--max-concurrent=2 --mode=replicated-job --replicas=2", stored("Mode.ReplicatedJob.MaxConcurrent", 2)),
    row("--mode global", stored("Mode", {"Global": {}}), "`replicated`, `global`, `replicated-job`, `global-job`"),
    row("--mount type=tmpfs,target=/scratch,tmpfs-size=1048576,tmpfs-mode=0700", says("grep -c 'scratch tmpfs.*size=1024k.*mode=700' /proc/mounts", "1")),
    row("--mount type=volume,source=named,target=/www", says("ls /www", "cgi-bin\nindex.html"), "sources and labels may be templates"),
    row("--mount type=volume,target=/www,volume-nocopy", says("ls -A /www | wc -l", "0")),
    row("--mount type=volume,source=filled,target=/x,volume-subpath=part", says("ls /x", "inside"), "only beneath the volume, also by links"),
    row("--mount type=volume,source=filled,target=/x,volume-subpath=../..", refused("subpath must be a relative path within the volume")),
    row("--mount type=volume,source=fast,target=/x,volume-driver=local,volume-opt=type=tmpfs,volume-opt=device=tmpfs,\"volume-opt=o=size=1m,uid=1000\"", says("df -k /x | tail -n 1 | tr -s ' ' | cut -d' ' -f2; stat -c %u /x", "1024\n1000")),
    row("--mount type=volume,source=mine,target=/x,volume-driver=local,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=HOSTDIR", says("ls /x", "a\ninner")),
    row("--mount type=volume,source=odd,target=/x,volume-driver=local,volume-opt=foo=bar", refused('create odd: invalid option: "foo"')),
    row("--mount type=volume,source=labelled,target=/x,volume-label=tier=web", says("ls -A /x | wc -l", "0")),
    row("--mount type=bind,source=HOSTDIR,target=/x", says("ls /x/inner", "b")),
    row("--mount type=bind,source=HOSTDIR,target=/x,readonly", says("touch /x/c /x/inner/c 2>&1 | grep -c Read-only", "2"), "with all below, where kernel and runtime can"),
    row("--mount type=bind,source=HOSTDIR,target=/x,readonly,bind-recursive=writable", says("touch /x/c /x/inner/c 2>&1 | grep -c Read-only", "1")),
    row("--mount type=bind,source=HOSTDIR,target=/x,readonly,bind-recursive=readonly,bind-propagation=rprivate", says("touch /x/c /x/inner/c 2>&1 | grep -c Read-only", "2"), "refused by the task where it cannot be"),
    row("--mount type=bind,source=HOSTDIR,target=/x,bind-recursive=disabled", says("ls -A /x/inner | wc -l", "0")),
    row("--mount type=bind,source=HOSTDIR,target=/x,bind-propagation=rslave", says("grep ' /x ' /proc/self/mountinfo | grep -c master:", "1"), "the host's mount must be shared or slave"),
    row("--mount type=npipe,source=x,target=/x", refused('invalid mount config for type "npipe": mount type unknown')),
    row("--name NAME", CLIENT, "every row here has one"),
    row("--network name=net,alias=other", stored(f"{TEMPLATE}.Networks.0.Aliases", ["other"])),
    row("--no-healthcheck", stored(f"{CONTAINER}.Healthcheck.Test", ["NONE"])),
    row("--no-resolve-image", CLIENT, "images are never resolved to digests by the daemon"),
    row("--oom-score-adj 100", says("cat /proc/self/oom_score_adj", "100"), "less than the daemon's own needs CAP_SYS_RESOURCE"),
    row("--placement-pref spread=node.labels.zone", stored(f"{TEMPLATE}.Placement.Preferences.0.Spread.SpreadDescriptor", "node.labels.zone")),
    row("--publish published=8080,target=80,mode=host", stored("EndpointSpec.Ports.0.PublishMode", "host"), "long and short form, ranges, tcp, udp and sctp, ingress and host mode"),
    row("--quiet", CLIENT),
    row("--read-only", says("touch /x 2>&1", "touch: /x: Read-only file system")),
    row("--replicas 2", stored("Mode.Replicated.Replicas", 2)),
    row("--replicas-max-per-node 3", stored(f"{TEMPLATE}.Placement.MaxReplicas", 3)),
    row("--reserve-cpu 0.25", stored(f"{TEMPLATE}.Resources.Reservations.NanoCPUs", 25 * 10**7)),
    row("--reserve-memory 32M", stored(f"{TEMPLATE}.Resources.Reservations.MemoryBytes", 32 * MIB)),
    row("--restart-condition on-failure", stored(f"{TEMPLATE}.RestartPolicy.Condition", "on-failure")),
    row("--restart-delay 3s", stored(f"{TEMPLATE}.RestartPolicy.Delay", 3 * SECOND), "not given: see [restarts](differences.md#restarts)"),
    row("--restart-max-attempts 4", stored(f"{TEMPLATE}.RestartPolicy.MaxAttempts", 4)),
    row("--restart-window 90s", stored(f"{TEMPLATE}.RestartPolicy.Window", 90 * SECOND)),
    *(
        row(f"--{flag}-{what} {given}", stored(f"{part}.{key}", value))
        for flag, part in (("rollback", "RollbackConfig"), ("update", "UpdateConfig"))
        for what, given, key, value in (
            ("delay", "4s", "Delay", 4 * SECOND),
            ("failure-action", "continue", "FailureAction", "continue"),
            ("max-failure-ratio", "0.5", "MaxFailureRatio", 0.5),
            ("monitor", "7s", "Monitor", 7 * SECOND),
            ("order", "start-first", "Order", "start-first"),
            ("parallelism", "3", "Parallelism", 3),
        )
    ),
    row("--secret source=password,target=pw,uid=65534,mode=0400", says("cat /run/secrets/pw; stat -c %u:%a /run/secrets/pw", "hunter2\n65534:400")),
    row("--stop-grace-period 1s", stops("trap '' TERM; echo deaf", "deaf"), "SIGKILL after it"),
    row("--stop-signal SIGUSR1", stops(SIGNALS, "set\nUSR1"), "names, numbers, `SIGRTMIN+3`, `SIGRTMAX-1`"),
    row("--stop-signal SIGBOGUS", refused("Invalid signal: SIGBOGUS")),
    row("--sysctl net.ipv4.ip_unprivileged_port_start=7", says("cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "7")),
    row("--tty", says("test -t 1 && echo terminal", "terminal")),
    row("--ulimit nofile=100:200", says("ulimit -Sn; ulimit -Hn", "100\n200"), "more than the daemon itself may is cut down to that"),
    row("--user nobody", says("id -un", "nobody"), "names are those of the image"),
    row("--with-registry-auth", CLIENT, "the credentials are used for the pull"),
    row("--workdir /www", says("pwd", "/www")),
)  # fmt: skip

UPDATE = (
    row("--args~sh -c 'echo called; trap exit TERM; sleep 1000 & wait'", says("", "called")),
    row("--cap-add NET_ADMIN", says(CAPABILITIES, "CapEff:\t00000000a80435fb")),
    row("--cap-drop NET_RAW", says(CAPABILITIES, "CapEff:\t00000000a80405fb")),
    row("--config-add conf", says("cat /conf", "settings")),
    row("--config-rm conf", says("cat /conf 2>&1", "cat: can't open '/conf': No such file or directory"), before="--config conf"),
    row("--constraint-add node.role==manager", stored(f"{TEMPLATE}.Placement.Constraints", ["node.role==manager"])),
    row("--constraint-rm node.role==manager", stored(f"{TEMPLATE}.Placement.Constraints", None), before="--constraint node.role==manager"),
    row("--container-label-add a=b", has("Config.Labels.a", "b")),
    row("--container-label-rm a", has("Config.Labels.a", None), before="--container-label a=b"),
    row("--credential-spec file://x.json", refused("a credential spec is for Windows containers")),
    row("--detach", CLIENT),
    row("--dns-add DNS", says(ASK, "192.0.2.99")),
    row("--dns-option-add ndots:2", says("grep options /etc/resolv.conf", "ndots:2")),
    row("--dns-option-rm ndots:2", says("grep options /etc/resolv.conf", "ndots:0"), before="--dns-option ndots:2"),
    row("--dns-rm DNS", says(f"{ASK} || echo nothing", "nothing"), before="--dns DNS"),
    row("--dns-search-add a.test", says("grep search /etc/resolv.conf", "search a.test")),
    row("--dns-search-rm a.test", says("grep search /etc/resolv.conf || echo nothing", "nothing"), before="--dns-search a.test"),
    row("--endpoint-mode dnsrr", stored("EndpointSpec.Mode", "dnsrr")),
    row("--entrypoint~sh -c 'echo called; trap exit TERM; sleep 1000 & wait'", says("", "called")),
    row("--env-add A=b", says("echo A=$A", "A=b")),
    row("--env-rm A", says("echo A=$A", "A="), before="--env A=b"),
    row("--force", stored(f"{TEMPLATE}.ForceUpdate", 1)),
    row("--generic-resource-add gpu=1", says("echo $DOCKER_RESOURCE_GPU", "g0")),
    row("--generic-resource-rm gpu", says("echo GPU=$DOCKER_RESOURCE_GPU", "GPU="), before="--generic-resource gpu=1"),
    row("--group-add nogroup", says("id -G", "0 65534")),
    row("--group-rm nogroup", says("id -G", "0"), before="--group nogroup"),
    row("--health-cmd~true~--health-interval~1s", has("State.Health.Status", "healthy")),
    row("--health-interval 3s", stored(f"{CONTAINER}.Healthcheck.Interval", 3 * SECOND)),
    row("--health-retries 7", stored(f"{CONTAINER}.Healthcheck.Retries", 7)),
    row("--health-start-interval 2s", stored(f"{CONTAINER}.Healthcheck", None), "docker's command line 28.2 never sends it with an update; hivelet's does"),
    row("--health-start-period 9s", stored(f"{CONTAINER}.Healthcheck.StartPeriod", 9 * SECOND)),
    row("--health-timeout 4s", stored(f"{CONTAINER}.Healthcheck.Timeout", 4 * SECOND)),
    row("--host-add db:192.0.2.7", says("grep 192.0.2.7 /etc/hosts", "192.0.2.7\tdb")),
    row("--host-rm db:192.0.2.7", says("grep -c 192.0.2.7 /etc/hosts", "0"), before="--host db:192.0.2.7"),
    row("--hostname box", says("cat /etc/hostname", "box")),
    row("--image web:latest", has("Config.Image", "web:latest")),
    row("--init", says("cat /proc/1/comm", "docker-init")),
    row("--isolation hyperv", refused("is for Windows")),
    row("--label-add a=b", stored("Labels.a", "b")),
    row("--label-rm a", stored("Labels.a", None), before="--label a=b"),
    row("--limit-cpu 0.5", says(CPU, "50000")),
    row("--limit-memory 64M", says(MEMORY, str(64 * MIB))),
    row("--limit-pids 50", says(PIDS, "50")),
    row("--log-driver local", has("HostConfig.LogConfig.Type", "local")),
    row("--log-opt~max-size=1m~--log-driver~json-file", has("HostConfig.LogConfig.Config", {"max-size": "1m"}), "its effect: the test of a log's size beside this table's"),
    row("--max-concurrent 2", stored("Mode.ReplicatedJob.MaxConcurrent", 3), "docker's command line 28.2 never sends it with an update; hivelet's does", before="--mode replicated-job --replicas 3"),
    row("--mount-add type=tmpfs,target=/scratch", says("grep -c ' /scratch tmpfs' /proc/mounts", "1")),
    row("--mount-rm /scratch", says("grep -c ' /scratch tmpfs' /proc/mounts", "0"), before="--mount type=tmpfs,target=/scratch"),
    row("--network-add net", stored(f"{TEMPLATE}.Networks.0.Target", "NET")),
    row("--network-rm net", stored(f"{TEMPLATE}.Networks", None), before="--network net"),
    row("--no-healthcheck", has("State.Health", None), before="--health-cmd true --health-interval 1s"),
    row("--no-resolve-image", CLIENT),
    row("--oom-score-adj 100", says("cat /proc/self/oom_score_adj", "100")),
    row("--placement-pref-add spread=node.labels.zone", stored(f"{TEMPLATE}.Placement.Preferences.0.Spread.SpreadDescriptor", "node.labels.zone")),
    row("--placement-pref-rm spread=node.labels.zone", stored(f"{TEMPLATE}.Placement.Preferences", None), before="--placement-pref spread=node.labels.zone"),
    row("--publish-add published=8081,target=81", stored("EndpointSpec.Ports.0.PublishedPort", 8081)),
    row("--publish-rm 82", stored("EndpointSpec.Ports", None), before="--publish published=8082,target=82"),
    row("--quiet", CLIENT),
    row("--read-only", says("touch /x 2>&1", "touch: /x: Read-only file system")),
    row("--replicas 2", stored("Mode.Replicated.Replicas", 2)),
    row("--replicas-max-per-node 3", stored(f"{TEMPLATE}.Placement.MaxReplicas", 3)),
    row("--reserve-cpu 0.25", stored(f"{TEMPLATE}.Resources.Reservations.NanoCPUs", 25 * 10**7)),
    row("--reserve-memory 32M", stored(f"{TEMPLATE}.Resources.Reservations.MemoryBytes", 32 * MIB)),
    row("--restart-condition on-failure", stored(f"{TEMPLATE}.RestartPolicy.Condition", "on-failure")),
    row("--restart-delay 3s", stored(f"{TEMPLATE}.RestartPolicy.Delay", 3 * SECOND)),
    row("--restart-max-attempts 4", stored(f"{TEMPLATE}.RestartPolicy.MaxAttempts", 4)),
    row("--restart-window 90s", stored(f"{TEMPLATE}.RestartPolicy.Window", 90 * SECOND)),
    row("--rollback", CLIENT, "its own request: goes back to the spec before the last update"),
    *(
        row(f"--{flag}-{what} {given}", stored(f"{part}.{key}", value))
        for flag, part in (("rollback", "RollbackConfig"), ("update", "UpdateConfig"))
        for what, given, key, value in (
            ("delay", "4s", "Delay", 4 * SECOND),
            ("failure-action", "continue", "FailureAction", "continue"),
            ("max-failure-ratio", "0.5", "MaxFailureRatio", 0.5),
            ("monitor", "7s", "Monitor", 7 * SECOND),
            ("order", "start-first", "Order", "start-first"),
            ("parallelism", "3", "Parallelism", 3),
        )
    ),
    row("--secret-add password", says("cat /run/secrets/password", "hunter2")),
    row("--secret-rm password", says("ls /run/secrets 2>/dev/null | wc -l", "0"), before="--secret password"),
    row("--stop-grace-period 1s", stops("trap '' TERM; echo deaf", "deaf")),
    row("--stop-signal SIGUSR1", stops(SIGNALS, "set\nUSR1")),
    row("--sysctl-add net.core.somaxconn=99", says("cat /proc/sys/net/core/somaxconn", "99")),
    row("--sysctl-rm net.core.somaxconn", says("cat /proc/sys/net/core/somaxconn", "4096"), "the kernel's default", before="--sysctl net.core.somaxconn=99"),
    row("--tty", says("test -t 1 && echo terminal", "terminal")),
    row("--ulimit-add nofile=100", says("ulimit -Sn", "100")),
    row("--ulimit-rm nofile", says("test $(ulimit -Sn) = 100 || echo more", "more"), before="--ulimit nofile=100"),
    row("--user nobody", says("id -un", "nobody")),
    row("--with-registry-auth", CLIENT),
    row("--workdir /www", says("pwd", "/www")),
)  # fmt: skip
