"""What is asked while things change: updates and rollbacks, secrets and configs, events, and the end of the swarm."""

# fmt: off - one question a line reads better than five

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from oracle import ask
from session import Session, filters, spec, until


def updates(s: Session) -> None:
    r = s.r
    service = r.ask("GET", "/services/web")
    wanted = service["Spec"]

    def seen(name: str, done: Callable[[Any], bool]) -> None:
        path: list[Any] = []

        def look() -> bool:
            status = r.ask("GET", "/services/web").get("UpdateStatus")
            if not path or path[-1] != status:
                path.append(status)
            return done(status or {})

        until(look, 60)
        r.note(name, path)

    def update(name: str, changed: dict[str, Any], query: str = "") -> None:
        version = r.ask("GET", "/services/web")["Version"]["Index"]
        r.record(name, "POST", f"/services/web/update?version={version}{query}", changed)

    update("scale", {**wanted, "Mode": {"Replicated": {"Replicas": 3}}})
    until(s.running("web", 3))
    r.record("after-scale", "GET", "/services/web")
    wanted = r.ask("GET", "/services/web")["Spec"]
    wanted["UpdateConfig"] = {"Parallelism": 2, "Monitor": 1000000000, "FailureAction": "pause"}
    wanted["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"] = 0
    wanted["TaskTemplate"]["ForceUpdate"] = 1
    update("force", wanted)
    r.record(
        "tasks-during-force", "GET", "/tasks?" + filters(service=["web"], _up_to_date=["true"])
    )
    seen("force-status", lambda s: s.get("State") == "completed")
    r.record("after-force", "GET", "/services/web")
    r.record("tasks-after-force", "GET", "/tasks?" + filters(service=["web"]))
    broken = {
        **wanted,
        "TaskTemplate": {
            **wanted["TaskTemplate"],
            "ContainerSpec": {**wanted["TaskTemplate"]["ContainerSpec"], "Command": ["/bin/false"]},
        },
    }
    update("broken-pause", broken)
    seen("broken-pause-status", lambda s: s.get("State") == "paused")
    r.record("after-pause", "GET", "/services/web")
    update("rollback", wanted, "&rollback=previous")
    seen("rollback-status", lambda s: s.get("State") == "rollback_completed")
    r.record("after-rollback", "GET", "/services/web")
    rolling = {**broken, "UpdateConfig": {**broken["UpdateConfig"], "FailureAction": "rollback"}}
    update("broken-rollback", rolling)
    seen("broken-rollback-status", lambda s: s.get("State") == "rollback_completed")
    r.record("after-automatic-rollback", "GET", "/services/web")
    r.record("list-status", "GET", "/services?status=true")
    r.save("updates")


def files(s: Session) -> None:
    r = s.r
    data = b64encode(b"top secret").decode()
    for noun in ("secret", "config"):
        made = r.record(
            f"{noun}-create",
            "POST",
            f"/{noun}s/create",
            {"Name": f"my{noun}", "Data": data, "Labels": {"a": "b"}},
        )
        r.record(
            f"{noun}-duplicate", "POST", f"/{noun}s/create", {"Name": f"my{noun}", "Data": data}
        )
        r.record(f"{noun}-no-name", "POST", f"/{noun}s/create", {"Data": data})
        r.record(f"{noun}-bad-name", "POST", f"/{noun}s/create", {"Name": "a b", "Data": data})
        r.record(f"{noun}-no-data", "POST", f"/{noun}s/create", {"Name": "x"})
        r.record(f"{noun}-bad-data", "POST", f"/{noun}s/create", {"Name": "x", "Data": "?"})
        r.record(f"{noun}-list", "GET", f"/{noun}s")
        r.record(f"{noun}-list-name", "GET", f"/{noun}s?" + filters(name=["my"]))
        r.record(f"{noun}-list-bad", "GET", f"/{noun}s?" + filters(foo=["my"]))
        one = r.record(f"{noun}-inspect", "GET", f"/{noun}s/{made['ID']}")
        r.record(f"{noun}-inspect-by-name", "GET", f"/{noun}s/my{noun}")
        r.record(f"{noun}-unknown", "GET", f"/{noun}s/nope")
        r.record(
            f"{noun}-update",
            "POST",
            f"/{noun}s/{made['ID']}/update?version={one['Version']['Index']}",
            {"Name": f"my{noun}", "Labels": {"c": "d"}},
        )
        r.record(
            f"{noun}-update-old",
            "POST",
            f"/{noun}s/{made['ID']}/update?version={one['Version']['Index']}",
            {"Name": f"my{noun}", "Labels": {"c": "d"}},
        )
        again = r.ask("GET", f"/{noun}s/{made['ID']}")["Version"]["Index"]
        r.record(
            f"{noun}-update-data",
            "POST",
            f"/{noun}s/{made['ID']}/update?version={again}",
            {"Name": f"my{noun}", "Data": b64encode(b"other").decode()},
        )
        key = noun.capitalize()
        use = {
            "ContainerSpec": {
                f"{key}s": [
                    {
                        f"{key}ID": made["ID"],
                        f"{key}Name": f"my{noun}",
                        "File": {"Name": "/run/it", "UID": "0", "GID": "0", "Mode": 292},
                    }
                ]
            }
        }
        r.record(f"service-with-{noun}", "POST", "/services/create", spec(f"with{noun}", **use))
        r.record(f"{noun}-delete-used", "DELETE", f"/{noun}s/{made['ID']}")
        r.record(f"service-inspect-with-{noun}", "GET", f"/services/with{noun}")
        r.ask("DELETE", f"/services/with{noun}")
        until(
            lambda noun=noun, made=made: (
                ask(r._socket, "DELETE", f"/v1.41/{noun}s/{made['ID']}")[0] in {204, 404}
            )
        )
        r.record(f"{noun}-delete-unknown", "DELETE", f"/{noun}s/{made['ID']}")
    r.save("files")


def events(s: Session, since: int) -> None:
    r = s.r
    r.ask("DELETE", "/services/web")
    until(
        lambda: (
            not r.ask(
                "GET",
                "/containers/json?all=1&" + filters(label=["com.docker.swarm.service.name=web"]),
            )
        )
    )
    now = int(time.time()) + 1
    started = int(time.time())
    r.ask(
        "POST",
        "/services/create",
        spec(
            "last",
            ContainerSpec={"StopGracePeriod": 1000000000},
            TaskTemplate={"Networks": [{"Target": "over"}]},
        ),
    )
    until(s.running("last", 1))
    service = r.ask("GET", "/services/last")
    changed = service["Spec"]
    changed["Mode"] = {"Replicated": {"Replicas": 0}}
    r.ask("POST", f"/services/last/update?version={service['Version']['Index']}", changed)
    until(
        lambda: (
            not r.ask(
                "GET", "/containers/json?" + filters(label=["com.docker.swarm.service.name=last"])
            )
        )
    )
    r.ask("DELETE", "/services/last")
    r.ask("POST", "/secrets/create", {"Name": "brief", "Data": "YQ=="})
    r.ask("DELETE", "/secrets/brief")
    until(lambda: not s.tasks("last"))
    until(lambda: ask(r._socket, "DELETE", "/v1.41/networks/over")[0] == 204)
    time.sleep(0.5)
    end = int(time.time()) + 1
    r.record("life", "GET", f"/events?since={started}&until={end}")
    r.record("filtered", "GET", f"/events?since={started}&until={end}&" + filters(type=["service"]))
    r.record("nothing", "GET", f"/events?since={now}&until={now}&" + filters(type=["plugin"]))
    r.record("bad-since", "GET", "/events?since=nonsense")
    r.record("bad-until", "GET", f"/events?since={end}&until={since}")
    r.save("events")


def leave(s: Session) -> None:
    r = s.r
    r.record("leave-force", "POST", "/swarm/leave?force=true")
    r.record("networks-after-leave", "GET", "/networks")
    r.record("info-after-leave", "GET", "/info")
    r.save("leave")
