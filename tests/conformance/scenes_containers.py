"""What is asked of containers by hand, their networks and volumes, and the engine's own answers of older versions."""

# fmt: off - one question a line reads better than five

from __future__ import annotations

import time
from typing import Any

from scenes_refusals import refusals
from session import Session, busybox, filters, until

SLEEP = ["/bin/sleep", "100000"]
NOBODY = "/containers/nobody"


def made(name: str) -> str:
    """Where a container of that name is created."""
    return f"/containers/create?name={name}"


def asked(command: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """A container as the docker CLI would ask for it, with as little as can be said."""
    return {"Image": "bb:latest", "Cmd": command or SLEEP, **more}


def containers(s: Session) -> None:
    r = s.r
    r.ask("POST", "/images/create?fromSrc=-&repo=bb&tag=latest", busybox())
    _creation(s)
    _looking(s)
    _changing(s)
    _ending(s)
    r.save("containers")


def _creation(s: Session) -> None:
    r = s.r
    r.record(
        "create",
        "POST",
        made("first"),
        asked(
            Labels={"a": "b"},
            Env=["A=b"],
            ExposedPorts={"80/tcp": {}},
            HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "18080"}]}},
        ),
    )
    r.record("create-name-taken", "POST", made("first"), asked())
    r.record("create-bad-name", "POST", made("_x"), asked())
    r.record("create-no-image", "POST", made("second"), {"Image": "nope:1", "Cmd": SLEEP})
    r.record("create-no-command", "POST", made("second"), {"Image": "bb:latest"})
    r.record(
        "create-bad-restart",
        "POST",
        made("second"),
        asked(HostConfig={"RestartPolicy": {"Name": "sometimes"}}),
    )
    r.record(
        "create-restart-count",
        "POST",
        made("second"),
        asked(HostConfig={"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}),
    )
    r.record(
        "create-restart-and-remove",
        "POST",
        made("second"),
        asked(HostConfig={"RestartPolicy": {"Name": "always"}, "AutoRemove": True}),
    )
    r.record("create-little-memory", "POST", made("second"), asked(HostConfig={"Memory": 1 << 20}))
    r.record("create-bad-port", "POST", made("badport"), asked(ExposedPorts={"x/tcp": {}}))
    r.record(
        "create-bad-json", "POST", made("second"), b"{bad", {"Content-Type": "application/json"}
    )
    r.record("create-relative-workdir", "POST", made("second"), asked(WorkingDir="x"))
    r.record("create-bad-signal", "POST", made("second"), asked(StopSignal="SIGNOPE"))
    r.record(
        "create-duplicate-mount",
        "POST",
        made("second"),
        asked(HostConfig={"Binds": ["/tmp:/t", "/usr:/t"]}),
    )
    r.record(
        "create-bad-bind", "POST", made("second"), asked(HostConfig={"Binds": ["/tmp:relative"]})
    )
    r.record(
        "create-volumes-from-nobody",
        "POST",
        made("second"),
        asked(HostConfig={"VolumesFrom": ["nobody"]}),
    )
    r.record(
        "create-volumes-from-mode",
        "POST",
        made("second"),
        asked(HostConfig={"VolumesFrom": ["first:zz"]}),
    )
    r.record("inspect-created", "GET", "/containers/first/json")
    r.record("list-created", "GET", "/containers/json?all=1")
    r.record("start-unknown", "POST", NOBODY + "/start")
    r.record("start", "POST", "/containers/first/start")
    r.record("start-again", "POST", "/containers/first/start")
    r.record(
        "create-with-volumes",
        "POST",
        made("lender"),
        asked(Volumes={"/data": {}}, HostConfig={"Binds": ["named:/n", "/tmp:/t:ro"]}),
    )
    r.record(
        "create-volumes-from",
        "POST",
        made("borrower"),
        asked(HostConfig={"VolumesFrom": ["lender:ro"]}),
    )
    r.record("inspect-borrower", "GET", "/containers/borrower/json")


def _looking(s: Session) -> None:
    r = s.r
    r.record("inspect", "GET", "/containers/first/json")
    r.record("inspect-size", "GET", "/containers/first/json?size=1")
    r.record("inspect-1.24", "GET", "/v1.24/containers/first/json")
    r.record("inspect-unknown", "GET", NOBODY + "/json")
    r.record("list", "GET", "/containers/json")
    r.record("list-size", "GET", "/containers/json?size=1")
    r.record("list-1.24", "GET", "/v1.24/containers/json")
    for name, wanted in {
        "name": {"name": ["fir"]},
        "id": {"id": ["zzz"]},
        "label": {"label": ["a=b"]},
        "label-none": {"label": ["a=c"]},
        "ancestor": {"ancestor": ["bb"]},
        "ancestor-unknown": {"ancestor": ["nope"]},
        "status": {"status": ["created"]},
        "status-bad": {"status": ["odd"]},
        "exited": {"exited": ["0"]},
        "exited-bad": {"exited": ["x"]},
        "health": {"health": ["none"]},
        "health-bad": {"health": ["odd"]},
        "before": {"before": ["lender"]},
        "before-unknown": {"before": ["nobody"]},
        "since": {"since": ["first"]},
        "volume": {"volume": ["named"]},
        "network": {"network": ["bridge"]},
        "network-unknown": {"network": ["nope"]},
        "publish": {"publish": ["18080"]},
        "publish-bad": {"publish": ["x"]},
        "expose": {"expose": ["80/tcp"]},
        "is-task": {"is_task": ["false"]},
        "is-task-bad": {"is_task": ["maybe"]},
        "unknown": {"foo": ["x"]},
    }.items():
        r.record(f"list-{name}", "GET", "/containers/json?all=1&" + filters(**wanted))
    r.record("list-limit", "GET", "/containers/json?limit=1")
    r.record("list-bad-limit", "GET", "/containers/json?limit=x")
    r.record("top", "GET", "/containers/first/top")
    r.record("top-args", "GET", "/containers/first/top?ps_args=-o%20pid,comm")
    r.record("top-bad-args", "GET", "/containers/first/top?ps_args=--nonsense")
    r.record("top-not-running", "GET", "/containers/lender/top")
    r.record("stats", "GET", "/containers/first/stats?stream=0")
    r.record("stats-one-shot", "GET", "/containers/first/stats?stream=0&one-shot=1")
    r.record("stats-not-running", "GET", "/containers/lender/stats?stream=0")
    r.record("stats-unknown", "GET", NOBODY + "/stats?stream=0")
    r.record("logs-no-stream", "GET", "/containers/first/logs")
    r.record("logs-unknown", "GET", NOBODY + "/logs?stdout=1")
    r.record("changes", "GET", "/containers/first/changes")
    r.record("changes-unknown", "GET", NOBODY + "/changes")
    r.record("export-unknown", "GET", NOBODY + "/export")
    r.record("archive-unknown-path", "GET", "/containers/first/archive?path=/nope")
    r.record("archive-no-path", "GET", "/containers/first/archive")
    r.record("archive-head-unknown", "HEAD", "/containers/first/archive?path=/nope")
    r.record("archive-put-nowhere", "PUT", "/containers/first/archive?path=/nope", b"")
    r.record(
        "exec-create",
        "POST",
        "/containers/first/exec",
        {"Cmd": ["/bin/echo", "hi"], "AttachStdout": True},
    )
    r.record("exec-no-command", "POST", "/containers/first/exec", {"Cmd": []})
    r.record("exec-unknown", "POST", NOBODY + "/exec", {"Cmd": ["x"]})
    r.record("exec-not-running", "POST", "/containers/lender/exec", {"Cmd": ["x"]})
    identity = r.ask("POST", "/containers/first/exec", {"Cmd": ["/bin/sh", "-c", "exit 3"]})["Id"]
    r.record("exec-inspect-new", "GET", f"/exec/{identity}/json")
    r.record("exec-start", "POST", f"/exec/{identity}/start", {"Detach": True})
    until(lambda: r.ask("GET", f"/exec/{identity}/json")["ExitCode"] == 3)
    r.record("exec-inspect", "GET", f"/exec/{identity}/json")
    r.record("exec-start-again", "POST", f"/exec/{identity}/start", {"Detach": True})
    r.record("exec-inspect-unknown", "GET", "/exec/nobody/json")
    r.record("exec-start-unknown", "POST", "/exec/nobody/start", {"Detach": True})


def _changing(s: Session) -> None:
    r = s.r
    r.record("pause", "POST", "/containers/first/pause")
    r.record("pause-again", "POST", "/containers/first/pause")
    r.record("inspect-paused", "GET", "/containers/first/json")
    r.record("exec-paused", "POST", "/containers/first/exec", {"Cmd": ["x"]})
    r.record("unpause", "POST", "/containers/first/unpause")
    r.record("unpause-again", "POST", "/containers/first/unpause")
    r.record("pause-not-running", "POST", "/containers/lender/pause")
    r.record("rename", "POST", "/containers/lender/rename?name=other")
    r.record("rename-taken", "POST", "/containers/other/rename?name=first")
    r.record("rename-empty", "POST", "/containers/other/rename")
    r.record("rename-bad", "POST", "/containers/other/rename?name=_x")
    r.record("rename-same", "POST", "/containers/other/rename?name=other")
    r.record("rename-unknown", "POST", NOBODY + "/rename?name=x1")
    r.record(
        "update", "POST", "/containers/first/update", {"Memory": 64 << 20, "MemorySwap": 128 << 20}
    )
    r.record("update-little-memory", "POST", "/containers/first/update", {"Memory": 1})
    r.record("update-swap", "POST", "/containers/first/update", {"Memory": 256 << 20})
    r.record(
        "update-restart", "POST", "/containers/first/update", {"RestartPolicy": {"Name": "always"}}
    )
    r.record("update-unknown", "POST", NOBODY + "/update", {"Memory": 64 << 20})
    r.record(
        "update-restart-back", "POST", "/containers/first/update", {"RestartPolicy": {"Name": "no"}}
    )
    r.record("resize", "POST", "/containers/first/resize?h=10&w=20")
    r.record("resize-bad", "POST", "/containers/first/resize?h=x&w=20")
    r.record("resize-not-running", "POST", "/containers/other/resize?h=10&w=20")
    r.record("attach-not-running", "POST", "/containers/nobody/attach?stream=1")
    r.record("commit", "POST", "/commit?container=first&repo=made&tag=1&comment=c&author=a", {})
    r.record("commit-unknown", "POST", "/commit?container=nobody", {})


def _ending(s: Session) -> None:
    r = s.r
    r.record("kill-bad-signal", "POST", "/containers/first/kill?signal=NOPE")
    r.record("kill-not-running", "POST", "/containers/other/kill")
    r.record("kill-unknown", "POST", NOBODY + "/kill")
    r.record("remove-running", "DELETE", "/containers/first")
    r.record("restart", "POST", "/containers/first/restart?t=0")
    r.record("stop", "POST", "/containers/first/stop?t=0")
    r.record("stop-again", "POST", "/containers/first/stop")
    r.record("stop-unknown", "POST", NOBODY + "/stop")
    r.record("wait", "POST", "/containers/first/wait")
    r.record("wait-bad", "POST", "/containers/first/wait?condition=odd")
    r.record("wait-unknown", "POST", NOBODY + "/wait")
    r.record("inspect-exited", "GET", "/containers/first/json")
    r.record("list-status-exited", "GET", "/containers/json?" + filters(status=["exited"]))
    r.ask("POST", made("failing"), asked(["/bin/nope"]))
    r.record("start-failing", "POST", "/containers/failing/start")
    r.record("inspect-failed", "GET", "/containers/failing/json")
    r.ask("POST", made("dir"), asked(["/bin"]))
    r.record("start-directory", "POST", "/containers/dir/start")
    r.record("remove", "DELETE", "/containers/first")
    r.record("remove-unknown", "DELETE", NOBODY)
    r.record("prune-bad-filter", "POST", "/containers/prune?" + filters(foo=["x"]))
    r.record("prune-label", "POST", "/containers/prune?" + filters(label=["nothing"]))
    r.record("prune", "POST", "/containers/prune")
    r.record("prune-nothing", "POST", "/containers/prune")


def container_networks(s: Session) -> None:
    r = s.r
    r.ask("POST", "/networks/create", {"Name": "n1"})
    r.ask(
        "POST",
        "/networks/create",
        {"Name": "n2", "IPAM": {"Config": [{"Subnet": "172.30.0.0/24"}]}},
    )
    r.ask("POST", made("box"), asked())
    r.ask("POST", "/containers/box/start")
    r.record(
        "connect",
        "POST",
        "/networks/n1/connect",
        {"Container": "box", "EndpointConfig": {"Aliases": ["x"]}},
    )
    r.record("connect-again", "POST", "/networks/n1/connect", {"Container": "box"})
    r.record("connect-nobody", "POST", "/networks/n1/connect", {"Container": "nobody"})
    r.record("connect-nowhere", "POST", "/networks/nope/connect", {"Container": "box"})
    r.record(
        "connect-chosen-subnet",
        "POST",
        "/networks/n1/connect",
        {"Container": "box", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "172.30.0.7"}}},
    )
    r.record(
        "connect-outside",
        "POST",
        "/networks/n2/connect",
        {"Container": "box", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.0.0.7"}}},
    )
    r.record(
        "connect-address",
        "POST",
        "/networks/n2/connect",
        {"Container": "box", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "172.30.0.7"}}},
    )
    r.record("connect-host", "POST", "/networks/host/connect", {"Container": "box"})
    r.record("connect-none", "POST", "/networks/none/connect", {"Container": "box"})
    r.record("inspect-connected", "GET", "/containers/box/json")
    r.record("network-with-container", "GET", "/networks/n1")
    r.record("networks", "GET", "/networks")
    r.record("networks-1.24", "GET", "/v1.24/networks")
    r.record("networks-dangling", "GET", "/networks?" + filters(dangling=["true"]))
    for name, mode in (("hosted", "host"), ("lonely", "none"), ("shared", "container:box")):
        r.ask("POST", made(name), asked(HostConfig={"NetworkMode": mode}))
        r.ask("POST", f"/containers/{name}/start")
        r.record(f"inspect-{name}", "GET", f"/containers/{name}/json")
        r.record(f"connect-{name}", "POST", "/networks/n1/connect", {"Container": name})
    r.record("network-host-with-container", "GET", "/networks/host")
    r.record("disconnect-host", "POST", "/networks/host/disconnect", {"Container": "hosted"})
    r.record("disconnect-not-connected", "POST", "/networks/n2/disconnect", {"Container": "lonely"})
    r.record("disconnect-nobody", "POST", "/networks/n1/disconnect", {"Container": "nobody"})
    r.record(
        "disconnect-nobody-force",
        "POST",
        "/networks/n1/disconnect",
        {"Container": "nobody", "Force": True},
    )
    r.record("disconnect", "POST", "/networks/n2/disconnect", {"Container": "box"})
    r.record("remove-in-use", "DELETE", "/networks/n1")
    r.record(
        "two-networks",
        "POST",
        made("both"),
        asked(
            HostConfig={"NetworkMode": "n2"},
            NetworkingConfig={"EndpointsConfig": {"n2": {}, "bridge": {}}},
        ),
    )
    r.record("link-nobody", "POST", made("web"), asked(HostConfig={"Links": ["nobody:x"]}))
    r.record(
        "link-host",
        "POST",
        made("web"),
        asked(HostConfig={"NetworkMode": "host", "Links": ["box:x"]}),
    )
    r.ask("POST", made("stopped"), asked())
    r.ask("POST", made("web"), asked(HostConfig={"Links": ["stopped:x"]}))
    r.record("link-stopped", "POST", "/containers/web/start")
    r.ask("POST", "/containers/stopped/start")
    r.record("link-start", "POST", "/containers/web/start")
    r.record("inspect-linked", "GET", "/containers/web/json")
    r.ask(
        "POST",
        made("port1"),
        asked(
            ExposedPorts={"80/tcp": {}},
            HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "18081"}]}},
        ),
    )
    r.ask("POST", "/containers/port1/start")
    r.ask(
        "POST",
        made("port2"),
        asked(
            ExposedPorts={"80/tcp": {}},
            HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "18081"}]}},
        ),
    )
    r.record("port-taken", "POST", "/containers/port2/start")
    r.ask("POST", "/containers/box/kill")
    r.ask("POST", "/containers/box/wait")
    r.record("inspect-ended", "GET", "/containers/box/json")
    r.record("remove", "DELETE", "/networks/n1")
    r.record("start-without-network", "POST", "/containers/box/start")
    r.save("container_networks")


def node_system(s: Session) -> None:
    r = s.r
    began = int(time.time())
    r.ask("POST", "/volumes/create", {"Name": "vol", "Labels": {"a": "b"}})
    r.record("volume-in-use-create", "POST", made("user"), asked(HostConfig={"Binds": ["vol:/v"]}))
    r.record("volume-in-use", "DELETE", "/volumes/vol")
    r.record("volume-list-dangling", "GET", "/volumes?" + filters(dangling=["false"]))
    r.record("volume-list-label", "GET", "/volumes?" + filters(label=["a=b"]))
    r.record("volume-list-driver", "GET", "/volumes?" + filters(driver=["local"]))
    r.record("volume-list-bad", "GET", "/volumes?" + filters(foo=["x"]))
    r.record("volume-bad-driver", "POST", "/volumes/create", {"Name": "v2", "Driver": "nope"})
    r.record(
        "volume-bad-option", "POST", "/volumes/create", {"Name": "v2", "DriverOpts": {"foo": "x"}}
    )
    r.record("volume-prune-bad", "POST", "/volumes/prune?" + filters(foo=["x"]))
    r.record("image-in-use", "DELETE", "/images/bb:latest")
    r.record("image-list-before", "GET", "/images/json?" + filters(before=["bb:latest"]))
    r.record("image-list-since-unknown", "GET", "/images/json?" + filters(since=["nope"]))
    r.record("image-get-unknown", "GET", "/images/nope/get")
    r.record("image-history-unknown", "GET", "/images/nope/history")
    r.record("image-search-empty", "GET", "/images/search")
    for version in ("1.24", "1.30", "1.39", "1.41"):
        for what in (
            "info",
            "version",
            "images/json",
            "networks",
            "volumes",
            "containers/json?all=1",
            "containers/user/json",
            "networks/bridge",
            "images/bb:latest/json",
        ):
            name = what.replace("/", "-").partition("?")[0]
            r.record(f"{name}-{version}", "GET", f"/v{version}/{what}")
    r.record("system-df", "GET", "/system/df")
    r.ask("POST", "/containers/user/start")
    r.ask("DELETE", "/containers/user?force=1")
    until(lambda: "message" in r.ask("GET", "/containers/user/json"))
    for kind in ("container", "network", "volume", "image", "daemon"):
        r.record(
            f"events-{kind}",
            "GET",
            f"/events?since={began}&until={int(time.time()) + 1}&" + filters(type=[kind]),
        )
    r.record(
        "events-event",
        "GET",
        f"/events?since={began}&until={int(time.time()) + 1}&"
        + filters(event=["start"], container=["user"]),
    )
    r.record("events-bad-filter", "GET", "/events?until=1&" + filters(foo=["x"]))
    r.record("events-bad-since", "GET", "/events?since=x&until=1")
    r.record("events-since-after-until", "GET", "/events?since=9&until=1")
    r.record("auth-nothing", "POST", "/auth", {})
    r.record("plugins", "GET", "/plugins")
    r.save("node_system")


SCENES = (containers, container_networks, node_system, refusals)
