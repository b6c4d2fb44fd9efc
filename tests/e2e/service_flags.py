"""Every flag of `docker service create` and `docker service update`: an example, and how it shows that it was honoured.

The table in docs/service-flags.md is made from this one, and `test_service_flags` tries each row with the docker command line.

A row shows itself in one of these ways:

    says(SCRIPT, TEXT)      the container, running SCRIPT, prints TEXT
    spec(PATH, VALUE)       the service's spec has VALUE there; what comes of it is the orchestrator's, and tested there
    has(PATH, VALUE)        `docker inspect` of the container has VALUE there
    refused(WORDS)          the daemon refuses it in these words
    CLIENT                  the command line itself does it, the daemon sees nothing of it
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


def spec(path: str, value: Any) -> Shows:
    return Shows("spec", path, value)


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

CREATE = (
    row("--cap-add NET_ADMIN", says("grep CapEff /proc/self/status", "CapEff:\t00000000a80435fb"), "differs from the default by bit 12"),
    row("--cap-drop ALL", says("grep CapEff /proc/self/status", "CapEff:\t0000000000000000")),
    row("--config source=conf,target=/etc/app/conf,mode=0400", says("cat /etc/app/conf; stat -c %a /etc/app/conf", "settings\n400")),
    row("--constraint node.role==manager", spec(f"{TEMPLATE}.Placement.Constraints", ["node.role==manager"])),
    row("--container-label tier=web", has("Config.Labels.tier", "web")),
    row("--credential-spec file://x.json", refused("a credential spec is for Windows containers"), "for Windows"),
    row("--detach", CLIENT),
    row("--dns 192.0.2.53", has("HostConfig.Dns", ["192.0.2.53"]), "names of the swarm are resolved all the same"),
    row("--dns-option timeout:7", says("grep options /etc/resolv.conf", "timeout:7 ndots:0")),
    row("--dns-search example.test", says("grep search /etc/resolv.conf", "search example.test")),
    row("--endpoint-mode dnsrr", spec("EndpointSpec.Mode", "dnsrr")),
    row("--entrypoint~sh -c 'echo called; trap exit TERM; sleep 1000 & wait'", says("", "called"), "the arguments follow it"),
    row("--env WHO=me", says("echo $WHO", "me")),
    row("--env-file ENVFILE", says("echo $FROM", "file")),
    row("--generic-resource gpu=1", says("echo $DOCKER_RESOURCE_GPU", "g0"), "what the node has is an option of hiveletd, `--node-generic-resource`"),
    row("--group nogroup", says("id -G", "0 65534")),
    row("--health-cmd~true~--health-interval~1s", has("Config.Healthcheck.Test", ["CMD-SHELL", "true"])),
    row("--health-interval 3s", has("Config.Healthcheck.Interval", 3 * SECOND)),
    row("--health-retries 7", has("Config.Healthcheck.Retries", 7)),
    row("--health-start-interval 2s", has("Config.Healthcheck.StartInterval", 2 * SECOND), "the longest distance; the first checks come sooner"),
    row("--health-start-period 9s", has("Config.Healthcheck.StartPeriod", 9 * SECOND)),
    row("--health-timeout 4s", has("Config.Healthcheck.Timeout", 4 * SECOND)),
    row("--host db:192.0.2.7", says("grep 192.0.2.7 /etc/hosts", "192.0.2.7\tdb")),
    row("--hostname box-{{.Task.Slot}}", says("cat /etc/hostname", "box-1"), "templates are filled in"),
    row("--init", says("cat /proc/1/comm", "docker-init"), "the package tini's"),
    row("--isolation hyperv", refused("is for Windows"), "`default` only"),
    row("--label tier=web", spec("Labels.tier", "web")),
    row("--limit-cpu 0.5", has("HostConfig.NanoCpus", 5 * 10**8), "by cgroup"),
    row("--limit-memory 64M", has("HostConfig.Memory", 64 * MIB), "by cgroup"),
    row("--limit-pids 50", has("HostConfig.PidsLimit", 50), "by cgroup"),
    row("--log-driver local", has("HostConfig.LogConfig.Type", "local"), "`json-file`, `local`, `none`; others are refused"),
    row("--log-opt max-size=1m --log-driver json-file", has("HostConfig.LogConfig.Config", {"max-size": "1m"}), "`max-size` and `max-file` bound the log; `labels`, `env`, `tag`, `compress` change nothing; others are refused"),
    row("--max-concurrent=2 --mode=replicated-job --replicas=2", spec("Mode.ReplicatedJob.MaxConcurrent", 2)),
    row("--mode global", spec("Mode", {"Global": {}}), "`replicated`, `global`, `replicated-job`, `global-job`"),
    row("--mount type=tmpfs,target=/scratch,tmpfs-size=1048576,tmpfs-mode=0700", says("grep -c 'scratch tmpfs.*size=1024k.*mode=700' /proc/mounts", "1"), "`volume`, `bind`, `tmpfs` with their options; sources and labels of volumes may be templates"),
    row("--name NAME", CLIENT, "every row here has one"),
    row("--network name=net,alias=other", spec(f"{TEMPLATE}.Networks.0.Aliases", ["other"])),
    row("--no-healthcheck", has("Config.Healthcheck.Test", ["NONE"])),
    row("--no-resolve-image", CLIENT, "images are never resolved to digests by the daemon"),
    row("--oom-score-adj 100", says("cat /proc/self/oom_score_adj", "100"), "less than the daemon's own needs CAP_SYS_RESOURCE"),
    row("--placement-pref spread=node.labels.zone", spec(f"{TEMPLATE}.Placement.Preferences.0.Spread.SpreadDescriptor", "node.labels.zone")),
    row("--publish published=8080,target=80,mode=host", spec("EndpointSpec.Ports.0.PublishMode", "host"), "long and short form, ranges, tcp, udp and sctp, ingress and host mode"),
    row("--quiet", CLIENT),
    row("--read-only", says("touch /x 2>&1", "touch: /x: Read-only file system")),
    row("--replicas 2", spec("Mode.Replicated.Replicas", 2)),
    row("--replicas-max-per-node 3", spec(f"{TEMPLATE}.Placement.MaxReplicas", 3)),
    row("--reserve-cpu 0.25", spec(f"{TEMPLATE}.Resources.Reservations.NanoCPUs", 25 * 10**7)),
    row("--reserve-memory 32M", spec(f"{TEMPLATE}.Resources.Reservations.MemoryBytes", 32 * MIB)),
    row("--restart-condition on-failure", spec(f"{TEMPLATE}.RestartPolicy.Condition", "on-failure")),
    row("--restart-delay 3s", spec(f"{TEMPLATE}.RestartPolicy.Delay", 3 * SECOND), "not given: see [restarts](differences.md#restarts)"),
    row("--restart-max-attempts 4", spec(f"{TEMPLATE}.RestartPolicy.MaxAttempts", 4)),
    row("--restart-window 90s", spec(f"{TEMPLATE}.RestartPolicy.Window", 90 * SECOND)),
    *(
        row(f"--{flag}-{what} {given}", spec(f"{part}.{key}", value))
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
    row("--stop-grace-period 20s", has("Config.StopTimeout", 20)),
    row("--stop-signal SIGINT", has("Config.StopSignal", "SIGINT")),
    row("--sysctl net.ipv4.ip_unprivileged_port_start=7", says("cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "7")),
    row("--tty", says("test -t 1 && echo terminal", "terminal")),
    row("--ulimit nofile=100:200", says("ulimit -Sn; ulimit -Hn", "100\n200"), "more than the daemon itself may is cut down to that"),
    row("--user nobody", says("id -un", "nobody"), "names are those of the image"),
    row("--with-registry-auth", CLIENT, "the credentials are used for the pull"),
    row("--workdir /www", says("pwd", "/www")),
)  # fmt: skip

UPDATE = (
    row("--args~sleep 777", spec(f"{CONTAINER}.Args", ["sleep", "777"])),
    row("--cap-add NET_ADMIN", spec(f"{CONTAINER}.CapabilityAdd", ["CAP_NET_ADMIN"])),
    row("--cap-drop NET_RAW", spec(f"{CONTAINER}.CapabilityDrop", ["CAP_NET_RAW"])),
    row("--config-add conf", spec(f"{CONTAINER}.Configs.0.ConfigName", "conf")),
    row("--config-rm conf", spec(f"{CONTAINER}.Configs", None), before="--config conf"),
    row("--constraint-add node.role==manager", spec(f"{TEMPLATE}.Placement.Constraints", ["node.role==manager"])),
    row("--constraint-rm node.role==manager", spec(f"{TEMPLATE}.Placement.Constraints", None), before="--constraint node.role==manager"),
    row("--container-label-add a=b", spec(f"{CONTAINER}.Labels", {"a": "b"})),
    row("--container-label-rm a", spec(f"{CONTAINER}.Labels", None), before="--container-label a=b"),
    row("--credential-spec file://x.json", refused("a credential spec is for Windows containers")),
    row("--detach", CLIENT),
    row("--dns-add 192.0.2.9", spec(f"{CONTAINER}.DNSConfig.Nameservers", ["192.0.2.9"])),
    row("--dns-option-add ndots:2", spec(f"{CONTAINER}.DNSConfig.Options", ["ndots:2"])),
    row("--dns-option-rm ndots:2", spec(f"{CONTAINER}.DNSConfig.Options", None), before="--dns-option ndots:2"),
    row("--dns-rm 192.0.2.9", spec(f"{CONTAINER}.DNSConfig.Nameservers", None), before="--dns 192.0.2.9"),
    row("--dns-search-add a.test", spec(f"{CONTAINER}.DNSConfig.Search", ["a.test"])),
    row("--dns-search-rm a.test", spec(f"{CONTAINER}.DNSConfig.Search", None), before="--dns-search a.test"),
    row("--endpoint-mode dnsrr", spec("EndpointSpec.Mode", "dnsrr")),
    row("--entrypoint~sleep 5", spec(f"{CONTAINER}.Command", ["sleep", "5"])),
    row("--env-add A=b", spec(f"{CONTAINER}.Env", ["A=b"])),
    row("--env-rm A", spec(f"{CONTAINER}.Env", None), before="--env A=b"),
    row("--force", spec(f"{TEMPLATE}.ForceUpdate", 1)),
    row("--generic-resource-add gpu=1", spec(f"{TEMPLATE}.Resources.Reservations.GenericResources.0.DiscreteResourceSpec", {"Kind": "gpu", "Value": 1})),
    row("--generic-resource-rm gpu", spec(f"{TEMPLATE}.Resources.Reservations.GenericResources", None), before="--generic-resource gpu=1"),
    row("--group-add nogroup", spec(f"{CONTAINER}.Groups", ["nogroup"])),
    row("--group-rm nogroup", spec(f"{CONTAINER}.Groups", None), before="--group nogroup"),
    row("--health-cmd~true", spec(f"{CONTAINER}.Healthcheck.Test", ["CMD-SHELL", "true"])),
    row("--health-interval 3s", spec(f"{CONTAINER}.Healthcheck.Interval", 3 * SECOND)),
    row("--health-retries 7", spec(f"{CONTAINER}.Healthcheck.Retries", 7)),
    row("--health-start-interval 2s", spec(f"{CONTAINER}.Healthcheck", None), "docker's command line 28.2 never sends it with an update; hivelet's does"),
    row("--health-start-period 9s", spec(f"{CONTAINER}.Healthcheck.StartPeriod", 9 * SECOND)),
    row("--health-timeout 4s", spec(f"{CONTAINER}.Healthcheck.Timeout", 4 * SECOND)),
    row("--host-add db:192.0.2.7", spec(f"{CONTAINER}.Hosts", ["192.0.2.7 db"])),
    row("--host-rm db:192.0.2.7", spec(f"{CONTAINER}.Hosts", None), before="--host db:192.0.2.7"),
    row("--hostname box", spec(f"{CONTAINER}.Hostname", "box")),
    row("--image web:latest", spec(f"{CONTAINER}.Image", "web:latest")),
    row("--init", spec(f"{CONTAINER}.Init", True)),
    row("--isolation hyperv", refused("is for Windows")),
    row("--label-add a=b", spec("Labels.a", "b")),
    row("--label-rm a", spec("Labels.a", None), before="--label a=b"),
    row("--limit-cpu 0.5", spec(f"{TEMPLATE}.Resources.Limits.NanoCPUs", 5 * 10**8)),
    row("--limit-memory 64M", spec(f"{TEMPLATE}.Resources.Limits.MemoryBytes", 64 * MIB)),
    row("--limit-pids 50", spec(f"{TEMPLATE}.Resources.Limits.Pids", 50)),
    row("--log-driver local", spec(f"{TEMPLATE}.LogDriver.Name", "local")),
    row("--log-opt~max-size=1m~--log-driver~json-file", spec(f"{TEMPLATE}.LogDriver.Options", {"max-size": "1m"})),
    row("--max-concurrent 2", spec("Mode.ReplicatedJob.MaxConcurrent", 3), "docker's command line 28.2 never sends it with an update; hivelet's does", before="--mode replicated-job --replicas 3"),
    row("--mount-add type=tmpfs,target=/scratch", spec(f"{CONTAINER}.Mounts.0.Target", "/scratch")),
    row("--mount-rm /scratch", spec(f"{CONTAINER}.Mounts", None), before="--mount type=tmpfs,target=/scratch"),
    row("--network-add net", spec(f"{TEMPLATE}.Networks.0.Target", "NET")),
    row("--network-rm net", spec(f"{TEMPLATE}.Networks", None), before="--network net"),
    row("--no-healthcheck", spec(f"{CONTAINER}.Healthcheck.Test", ["NONE"])),
    row("--no-resolve-image", CLIENT),
    row("--oom-score-adj 100", spec(f"{CONTAINER}.OomScoreAdj", 100)),
    row("--placement-pref-add spread=node.labels.zone", spec(f"{TEMPLATE}.Placement.Preferences.0.Spread.SpreadDescriptor", "node.labels.zone")),
    row("--placement-pref-rm spread=node.labels.zone", spec(f"{TEMPLATE}.Placement.Preferences", None), before="--placement-pref spread=node.labels.zone"),
    row("--publish-add published=8081,target=81", spec("EndpointSpec.Ports.0.PublishedPort", 8081)),
    row("--publish-rm 82", spec("EndpointSpec.Ports", None), before="--publish published=8082,target=82"),
    row("--quiet", CLIENT),
    row("--read-only", spec(f"{CONTAINER}.ReadOnly", True)),
    row("--replicas 2", spec("Mode.Replicated.Replicas", 2)),
    row("--replicas-max-per-node 3", spec(f"{TEMPLATE}.Placement.MaxReplicas", 3)),
    row("--reserve-cpu 0.25", spec(f"{TEMPLATE}.Resources.Reservations.NanoCPUs", 25 * 10**7)),
    row("--reserve-memory 32M", spec(f"{TEMPLATE}.Resources.Reservations.MemoryBytes", 32 * MIB)),
    row("--restart-condition on-failure", spec(f"{TEMPLATE}.RestartPolicy.Condition", "on-failure")),
    row("--restart-delay 3s", spec(f"{TEMPLATE}.RestartPolicy.Delay", 3 * SECOND)),
    row("--restart-max-attempts 4", spec(f"{TEMPLATE}.RestartPolicy.MaxAttempts", 4)),
    row("--restart-window 90s", spec(f"{TEMPLATE}.RestartPolicy.Window", 90 * SECOND)),
    row("--rollback", CLIENT, "its own request: goes back to the spec before the last update"),
    *(
        row(f"--{flag}-{what} {given}", spec(f"{part}.{key}", value))
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
    row("--secret-add password", spec(f"{CONTAINER}.Secrets.0.SecretName", "password")),
    row("--secret-rm password", spec(f"{CONTAINER}.Secrets", None), before="--secret password"),
    row("--stop-grace-period 20s", spec(f"{CONTAINER}.StopGracePeriod", 20 * SECOND)),
    row("--stop-signal SIGINT", spec(f"{CONTAINER}.StopSignal", "SIGINT")),
    row("--sysctl-add net.core.somaxconn=99", spec(f"{CONTAINER}.Sysctls", {"net.core.somaxconn": "99"})),
    row("--sysctl-rm net.core.somaxconn", spec(f"{CONTAINER}.Sysctls", None), before="--sysctl net.core.somaxconn=99"),
    row("--tty", spec(f"{CONTAINER}.TTY", True)),
    row("--ulimit-add nofile=100", spec(f"{CONTAINER}.Ulimits.0.Name", "nofile")),
    row("--ulimit-rm nofile", spec(f"{CONTAINER}.Ulimits", None), before="--ulimit nofile=100"),
    row("--user nobody", spec(f"{CONTAINER}.User", "nobody")),
    row("--with-registry-auth", CLIENT),
    row("--workdir /www", spec(f"{CONTAINER}.Dir", "/www")),
)  # fmt: skip
