"""Requests that a user writes by mistake, one at a time: what is refused, with which status and sentence."""

from __future__ import annotations

from typing import Any

from session import Session, busybox, filters

COMMAND = {"Image": "bb:latest", "Cmd": ["/bin/true"]}
LENT = {"NetworkMode": "container:lender"}
MINUTE = 60_000_000_000


def mount(**more: Any) -> dict[str, Any]:
    """A host config with one mount."""
    return {"HostConfig": {"Mounts": [{"Target": "/t", **more}]}}


def host(**more: Any) -> dict[str, Any]:
    """A request that differs in its host config alone."""
    return {"HostConfig": more}


CREATES: dict[str, dict[str, Any]] = {
    "ipc": host(IpcMode="foo"),
    "uts-hostname": {"Hostname": "h", **host(UTSMode="host")},
    "host-links": host(NetworkMode="host", Links=["lender:l"]),
    "lent-hostname": {"Hostname": "h", **host(**LENT)},
    "lent-links": host(**LENT, Links=["lender:l"]),
    "lent-dns": host(**LENT, Dns=["1.1.1.1"]),
    "lent-hosts": host(**LENT, ExtraHosts=["a:1.1.1.1"]),
    "lent-mac": {"MacAddress": "02:42:00:00:00:01", **host(**LENT)},
    "lent-ports": host(**LENT, PortBindings={"80/tcp": [{"HostPort": "80"}]}),
    "lent-all-ports": host(**LENT, PublishAllPorts=True),
    "lent-exposed": {"ExposedPorts": {"80/tcp": {}}, **host(**LENT)},
    "bind-mode": host(Binds=["v:/t:foo"]),
    "bind-modes": host(Binds=["v:/t:rw,ro"]),
    "bind-parts": host(Binds=["a:b:c:d"]),
    "bind-relative": host(Binds=["v:t"]),
    "bind-root": host(Binds=["/tmp:/"]),
    "mount-type": mount(Type="foo", Source="/x"),
    "mount-no-source": mount(Type="bind"),
    "mount-missing": mount(Type="bind", Source="/no/such/place"),
    "runtime": host(Runtime="nosuch"),
    "isolation": host(Isolation="hyperv"),
    "storage-opt": host(StorageOpt={"foo": "1"}),
    "cpu-quota-and-nano": host(NanoCpus=1_000_000_000, CpuQuota=10_000),
    "cpu-period": host(CpuPeriod=10),
    "cpu-quota": host(CpuQuota=10),
    "cpus-not-there": host(CpusetCpus="0-9999"),
    "tmpfs": host(Tmpfs={"/t": "nosuchoption"}),
    "health-interval": {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 10}},
    "health-timeout": {"Healthcheck": {"Test": ["CMD", "true"], "Timeout": 10}},
    "health-retries": {"Healthcheck": {"Test": ["CMD", "true"], "Retries": -1}},
    "capability": host(CapAdd=["FOO"]),
    "oom-without-limit": host(OomKillDisable=True),
}


NETWORKS: dict[str, dict[str, Any]] = {
    "ipam-driver": {"IPAM": {"Driver": "nosuch"}},
    "named-bridge": {"Name": "bridge"},
    "named-host": {"Name": "host"},
    "named-default": {"Name": "default"},
    "second-host": {"Driver": "host"},
    "second-null": {"Driver": "null"},
}


def refusals(s: Session) -> None:
    r = s.r
    r.ask("POST", "/images/create?fromSrc=-&repo=bb&tag=latest", busybox())
    r.ask("POST", "/containers/create?name=lender", {**COMMAND, "Cmd": ["/bin/sleep", "1000"]})
    r.ask("POST", "/containers/lender/start")
    for name, given in CREATES.items():
        r.record(f"create-{name}", "POST", "/containers/create", {**COMMAND, **given})
    for name, given in NETWORKS.items():
        r.record(f"network-{name}", "POST", "/networks/create", {"Name": "refused", **given})
    _logs(s)
    _images(s)
    _prunes(s)
    r.ask("DELETE", "/containers/lender?force=1")
    r.save("refusals")


def _logs(s: Session) -> None:
    s.r.ask(
        "POST",
        "/containers/create?name=quiet",
        {**COMMAND, **host(LogConfig={"Type": "none"})},
    )
    s.r.record("logs-of-none", "GET", "/containers/quiet/logs?stdout=1")
    s.r.ask("DELETE", "/containers/quiet")


def _images(s: Session) -> None:
    s.r.record("images-bad-pattern", "GET", "/images/json?" + filters(reference=["["]))
    s.r.record(
        "commit", "POST", "/commit?container=lender&repo=made&author=me&comment=why&pause=0", {}
    )
    s.r.record("inspect-commit", "GET", "/images/made/json")
    s.r.ask("DELETE", "/images/made")


def _prunes(s: Session) -> None:
    for kind in ("containers", "images", "networks"):
        s.r.record(f"prune-{kind}-bad-until", "POST", f"/{kind}/prune?" + filters(until=["foo"]))
        s.r.record(f"prune-{kind}-bad-filter", "POST", f"/{kind}/prune?" + filters(foo=["bar"]))
        s.r.record(f"prune-{kind}-young", "POST", f"/{kind}/prune?" + filters(until=["10h"]))
