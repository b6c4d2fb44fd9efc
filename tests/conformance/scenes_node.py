"""What is asked of one node: the engine itself, its volumes, images and networks, and the swarm where there is none."""

# fmt: off - one question a line reads better than five

from __future__ import annotations

from urllib.parse import quote

from session import Session, busybox, filters, spec


def engine(s: Session) -> None:
    r = s.r
    r.record("ping", "GET", "/_ping")
    r.record("ping-head", "HEAD", "/_ping")
    r.record("ping-unversioned", "GET", "//_ping")
    r.record("version", "GET", "/version")
    r.record("version-1.24", "GET", "/v1.24/version")
    r.record("info-inactive", "GET", "/info")
    r.record("too-new", "GET", "/v1.99/version")
    r.record("too-old", "GET", "/v1.11/version")
    r.record("no-such-page", "GET", "/nope")
    r.record("wrong-method", "DELETE", "/version")
    r.record(
        "volume-bad-json", "POST", "/volumes/create", b"{bad", {"Content-Type": "application/json"}
    )
    r.record("volume-text-body", "POST", "/volumes/create", b"{}", {"Content-Type": "text/plain"})
    r.record("volume-create", "POST", "/volumes/create", {"Name": "data", "Labels": {"a": "b"}})
    r.record("volume-create-again", "POST", "/volumes/create", {"Name": "data"})
    r.record("volume-create-anonymous", "POST", "/volumes/create", {})
    r.record("volume-bad-name", "POST", "/volumes/create", {"Name": "/x"})
    r.record("volume-list", "GET", "/volumes")
    r.record("volume-list-filtered", "GET", "/volumes?" + filters(name=["nothing"]))
    r.record("volume-inspect", "GET", "/volumes/data")
    r.record("volume-unknown", "GET", "/volumes/nope")
    r.record("volume-delete", "DELETE", "/volumes/data")
    r.record("volume-delete-unknown", "DELETE", "/volumes/data")
    r.record("volume-delete-unknown-force", "DELETE", "/volumes/data?force=1")
    r.record("volume-prune", "POST", "/volumes/prune")
    r.save("engine")


def not_a_manager(s: Session) -> None:
    r = s.r
    for noun in ("services", "tasks", "nodes", "secrets", "configs", "swarm", "swarm/unlockkey"):
        r.record(f"{noun}-list", "GET", f"/{noun}")
    r.record("service-create", "POST", "/services/create", spec("web"))
    r.record(
        "service-create-bad-json",
        "POST",
        "/services/create",
        b"{bad",
        {"Content-Type": "application/json"},
    )
    r.record("service-update", "POST", "/services/x/update?version=1", spec("web"))
    r.record("service-update-no-version", "POST", "/services/x/update", spec("web"))
    r.record("service-inspect", "GET", "/services/x")
    r.record("service-logs", "GET", "/services/x/logs?stdout=1")
    r.record("node-inspect", "GET", "/nodes/self")
    r.record("leave", "POST", "/swarm/leave")
    r.record("leave-force", "POST", "/swarm/leave?force=1")
    r.record("network-overlay", "POST", "/networks/create", {"Name": "o", "Driver": "overlay"})
    r.record("swarm-update", "POST", "/swarm/update?version=1", {})
    r.record(
        "join-nowhere",
        "POST",
        "/swarm/join",
        {"RemoteAddrs": ["192.168.77.9:2377"], "JoinToken": "x"},
    )
    r.save("not_a_manager")


def images(s: Session) -> None:
    r = s.r
    r.record("list-empty", "GET", "/images/json")
    r.record("import", "POST", "/images/create?fromSrc=-&repo=bb&tag=latest", busybox())
    r.record(
        "import-with-changes",
        "POST",
        "/images/create?fromSrc=-&repo=bb&tag=env&message=hello&changes="
        + quote("ENV A=b")
        + "&changes="
        + quote('CMD ["/bin/sh"]'),
        busybox(),
    )
    r.record("list", "GET", "/images/json")
    r.record("list-1.24", "GET", "/v1.24/images/json")
    r.record("list-reference", "GET", "/images/json?" + filters(reference=["bb:l*"]))
    r.record("list-dangling", "GET", "/images/json?" + filters(dangling=["true"]))
    r.record("list-bad-filter", "GET", "/images/json?" + filters(foo=["x"]))
    r.record("list-bad-json", "GET", "/images/json?filters=%7Bbad")
    r.record("list-bad-dangling", "GET", "/images/json?" + filters(dangling=["maybe"]))
    r.record("inspect", "GET", "/images/bb:env/json")
    r.record("inspect-unknown", "GET", "/images/nope/json")
    r.record("history", "GET", "/images/bb:env/history")
    r.record("tag", "POST", "/images/bb:latest/tag?repo=registry.example:5000/a/bb&tag=1")
    r.record("tag-unknown", "POST", "/images/nope/tag?repo=a")
    r.record("tag-invalid", "POST", "/images/bb/tag?repo=A%20B")
    r.record("list-tagged", "GET", "/images/json")
    r.record("delete-tag", "DELETE", "/images/registry.example:5000/a/bb:1")
    r.record("delete-image", "DELETE", "/images/bb:env")
    r.record("delete-unknown", "DELETE", "/images/nope")
    r.record("pull-unreachable", "POST", "/images/create?fromImage=registry.example&tag=1")
    r.record("distribution-unreachable", "GET", "/distribution/bb:latest/json")
    r.record("distribution-invalid", "GET", "/distribution/A%20B/json")
    r.record("prune", "POST", "/images/prune")
    r.record("system-df-no-containers", "GET", "/system/df")
    r.record(
        "auth-unreachable",
        "POST",
        "/auth",
        {"username": "u", "password": "p", "serveraddress": "registry.invalid"},
    )
    r.save("images")


def networks(s: Session) -> None:
    r = s.r
    r.record("list", "GET", "/networks")
    r.record("inspect-bridge", "GET", "/networks/bridge")
    r.record("inspect-host", "GET", "/networks/host")
    r.record("inspect-unknown", "GET", "/networks/nope")
    r.record(
        "create",
        "POST",
        "/networks/create",
        {
            "Name": "mine",
            "CheckDuplicate": True,
            "Driver": "bridge",
            "Labels": {"a": "b"},
            "IPAM": {
                "Driver": "default",
                "Config": [{"Subnet": "172.29.0.0/20", "Gateway": "172.29.0.1"}],
            },
            "Options": {"com.docker.network.bridge.enable_icc": "false"},
        },
    )
    r.record("inspect-created", "GET", "/networks/mine")
    r.record(
        "create-duplicate", "POST", "/networks/create", {"Name": "mine", "CheckDuplicate": True}
    )
    r.record(
        "create-overlap",
        "POST",
        "/networks/create",
        {"Name": "mine2", "IPAM": {"Config": [{"Subnet": "172.29.1.0/24"}]}},
    )
    r.record("create-no-name", "POST", "/networks/create", {})
    r.record(
        "create-bad-subnet",
        "POST",
        "/networks/create",
        {"Name": "mine3", "IPAM": {"Config": [{"Subnet": "nonsense"}]}},
    )
    r.record(
        "create-bad-driver", "POST", "/networks/create", {"Name": "mine4", "Driver": "nonsense"}
    )
    r.record("create-default", "POST", "/networks/create", {"Name": "plain"})
    r.record("inspect-default", "GET", "/networks/plain")
    r.record("list-filter-name", "GET", "/networks?" + filters(name=["mi"]))
    r.record("list-filter-bad", "GET", "/networks?" + filters(foo=["mi"]))
    r.record("list-filter-type", "GET", "/networks?" + filters(type=["custom"]))
    r.record("delete-bridge", "DELETE", "/networks/bridge")
    r.record("delete", "DELETE", "/networks/mine")
    r.record("delete-unknown", "DELETE", "/networks/mine")
    r.record("prune", "POST", "/networks/prune")
    r.save("networks")
