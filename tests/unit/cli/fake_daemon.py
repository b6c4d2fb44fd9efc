"""A daemon that only remembers: the Docker Engine API of a swarm manager over a unix socket, for the CLI's tests.

It keeps what it is told, answers lists with Docker's filters, and records every request. Tasks of a service run at once
unless `task_state` says otherwise. Nothing runs for real. The docker CLI takes it for an engine as well.
"""

from __future__ import annotations

import copy
import json
import re
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

NOW = (datetime.now(UTC) - timedelta(hours=2, minutes=5)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
"""Everything happened two hours ago, whenever the tests run."""
NODE_ID = "n0de00000000000000000node1"


def identifier(kind: str, number: int) -> str:
    return f"{kind}{number:03d}".ljust(25, "0")[:25]


class FakeDaemon:
    """The state. Tests may change every attribute; `answers` overrides a route by ("GET", "/path")."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.objects: dict[str, dict[str, dict[str, Any]]] = {
            kind: {}
            for kind in (
                "services",
                "tasks",
                "networks",
                "secrets",
                "configs",
                "nodes",
                "containers",
                "images",
            )
        }
        self.contents: dict[str, str] = {}
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.silent: set[str] = set()
        """Paths of which nothing is ever said."""
        self.talks: dict[str, Callable[[socket.socket], None]] = {}
        """What takes over the connection of a request to a path, once its answer's head is sent."""
        self.swarm = "active"
        self.task_state = "running"
        self.task_error = ""
        self.logs: list[tuple[int, str]] = []
        self.events: list[dict[str, Any]] = []
        self._count = 0
        self._lock = threading.Lock()
        self.objects["nodes"][NODE_ID] = _node()
        self._server = _Server(str(path), _Handler)
        self._server.daemon = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    @property
    def host(self) -> str:
        return f"unix://{self.path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def bodies(self, method: str, path: str) -> list[Any]:
        return [
            body
            for verb, where, _, body in self.requests
            if verb == method and re.fullmatch(path, where)
        ]

    def next_id(self, kind: str) -> str:
        self._count += 1
        return identifier(kind, self._count)

    def add_service(self, spec: dict[str, Any]) -> dict[str, Any]:
        service_id = self.next_id("svc")
        mode = spec.setdefault("Mode", {}) or {"Replicated": {}}
        if mode.get("Replicated") is not None:
            mode["Replicated"].setdefault("Replicas", 1)
        spec["Mode"] = mode
        service = {
            "ID": service_id,
            "Version": {"Index": 10},
            "CreatedAt": NOW,
            "UpdatedAt": NOW,
            "Spec": spec,
            "Endpoint": _endpoint(spec),
        }
        self.objects["services"][service_id] = service
        self.make_tasks(service)
        return service

    def make_tasks(self, service: dict[str, Any]) -> None:
        mode = service["Spec"].get("Mode", {})
        replicated = mode.get("Replicated") or {}
        wanted = 1 if "Global" in mode else replicated.get("Replicas", 1)
        tasks = self.objects["tasks"]
        have = {task.get("Slot") for task in tasks.values() if task["ServiceID"] == service["ID"]}
        for slot in range(1, wanted + 1):
            if slot not in have:
                self.add_task(service, slot)
        for task_id in [
            t
            for t, task in tasks.items()
            if task["ServiceID"] == service["ID"] and task.get("Slot", 0) > wanted
        ]:
            del tasks[task_id]

    def add_task(self, service: dict[str, Any], slot: int, **changes: Any) -> dict[str, Any]:
        task = {
            "ID": self.next_id("tsk"),
            "Version": {"Index": 20},
            "CreatedAt": NOW,
            "UpdatedAt": NOW,
            "Spec": service["Spec"]["TaskTemplate"],
            "ServiceID": service["ID"],
            "Slot": slot,
            "NodeID": NODE_ID,
            "Status": {
                "Timestamp": NOW,
                "State": self.task_state,
                "Message": "started",
                "PortStatus": {},
            },
            "DesiredState": "running",
            **changes,
        }
        if self.task_error:
            task["Status"]["Err"] = self.task_error
        self.objects["tasks"][task["ID"]] = task
        return task

    def status_of(self, service: dict[str, Any]) -> dict[str, int]:
        tasks = [
            task for task in self.objects["tasks"].values() if task["ServiceID"] == service["ID"]
        ]
        running = sum(
            task["Status"]["State"] == "running" and task["DesiredState"] == "running"
            for task in tasks
        )
        replicated = service["Spec"].get("Mode", {}).get("Replicated") or {}
        return {
            "RunningTasks": running,
            "DesiredTasks": replicated.get("Replicas", 1),
            "CompletedTasks": 0,
        }


def _node() -> dict[str, Any]:
    return {
        "ID": NODE_ID,
        "Version": {"Index": 9},
        "CreatedAt": NOW,
        "UpdatedAt": NOW,
        "Spec": {"Labels": {}, "Role": "manager", "Availability": "active"},
        "Description": {
            "Hostname": "host1",
            "Platform": {"Architecture": "x86_64", "OS": "linux"},
            "Resources": {"NanoCPUs": 2000000000, "MemoryBytes": 8000000000},
            "Engine": {"EngineVersion": "20.10.24"},
            "TLSInfo": {},
        },
        "Status": {"State": "ready", "Addr": "192.168.0.2"},
        "ManagerStatus": {"Leader": True, "Reachability": "reachable", "Addr": "192.168.0.2:2377"},
    }


def _endpoint(spec: dict[str, Any]) -> dict[str, Any]:
    given = spec.get("EndpointSpec") or {}
    ports = [
        {**port, "PublishedPort": port.get("PublishedPort") or 30000 + index}
        for index, port in enumerate(given.get("Ports") or [])
    ]
    endpoint = {"Spec": {"Mode": given.get("Mode") or "vip"}}
    if ports:
        endpoint["Spec"]["Ports"] = ports
        endpoint["Ports"] = ports
    return endpoint


class JsonText(str):
    """A string that is answered as JSON; other strings are answered as text."""

    __slots__ = ()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve("GET")

    def do_HEAD(self) -> None:
        self._serve("HEAD")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        daemon: FakeDaemon = self.server.daemon  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        path = re.sub(r"^/v1\.\d+", "", parts.path)
        query = {
            key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()
        }
        raw = self._body()
        body = (
            json.loads(raw)
            if raw and "json" in (self.headers.get("Content-Type") or "json")
            else raw or None
        )
        if path != "/_ping":
            daemon.requests.append((method, path, query, copy.deepcopy(body)))
        if path in daemon.silent:
            self.connection.recv(1)  # until the client has gone
            self.close_connection = True
            return
        if path in daemon.talks and self.headers.get("Upgrade") == "tcp":
            self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n")
            daemon.talks[path](self.connection)
            self.close_connection = True
            return
        override = daemon.answers.get((method, path))
        status, answer = override or self._route(daemon, method, path, query, body)
        self._answer(status, answer, method)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _answer(self, status: int, answer: Any, method: str) -> None:
        content = "application/json"
        if isinstance(answer, bytes):
            data, content = answer, "application/vnd.docker.raw-stream"
        elif isinstance(answer, str) and not isinstance(answer, JsonText):
            data, content = answer.encode(), "text/plain"
        elif status == 204:
            data = b""
        else:
            data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", content)
        self.send_header("Api-Version", "1.47")
        self.send_header("Ostype", "linux")
        self.send_header("Swarm", "active/manager")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if method != "HEAD":
            self.wfile.write(data)

    def _route(
        self, daemon: FakeDaemon, method: str, path: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any]:
        steps = path.strip("/").split("/")
        if path == "/_ping":
            return 200, "OK"
        if path == "/info":
            return 200, _info(daemon)
        if path == "/version":
            return 200, _version()
        if path == "/events":
            return 200, b"".join(json.dumps(event).encode() + b"\n" for event in daemon.events)
        if steps[-1] == "logs":
            return 200, b"".join(
                struct.pack(">BxxxL", kind, len(text.encode())) + text.encode()
                for kind, text in daemon.logs
            )
        if steps[0] == "swarm":
            return self._swarm(daemon, method, steps, body)
        if daemon.swarm != "active" and steps[0] in {
            "services",
            "tasks",
            "nodes",
            "secrets",
            "configs",
        }:
            return 503, {
                "message": 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
            }
        if len(steps) == 1 or steps[1:] == ["json"]:
            return 200, self._list(daemon, steps[0], query)
        if steps[1] == "create":
            return self._create(daemon, steps[0], body)
        return self._one(daemon, method, steps, query, body)

    def _swarm(
        self, daemon: FakeDaemon, method: str, steps: list[str], body: Any
    ) -> tuple[int, Any]:
        if steps == ["swarm"] and daemon.swarm == "active":
            tokens = {"Worker": "SWMTKN-1-worker", "Manager": "SWMTKN-1-manager"}
            return 200, {
                "ID": "cluster1",
                "Version": {"Index": 5},
                "Spec": {"Name": "default"},
                "JoinTokens": tokens,
            }
        if steps == ["swarm", "init"]:
            if daemon.swarm == "active":
                message = 'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.'
                return 503, {"message": message}
            daemon.swarm = "active"
            return 200, JsonText(NODE_ID)
        if steps == ["swarm", "leave"]:
            daemon.swarm = "inactive"
            return 200, None
        return 503, {"message": "This node is not a swarm manager."}

    def _list(self, daemon: FakeDaemon, kind: str, query: dict[str, str]) -> list[Any]:
        filters = json.loads(query.get("filters") or "{}")
        found = [
            entry
            for entry in daemon.objects[kind].values()
            if _matches(daemon, kind, entry, filters)
        ]
        if kind == "services" and query.get("status") in {"true", "1"}:
            return [{**entry, "ServiceStatus": daemon.status_of(entry)} for entry in found]
        return found

    def _create(self, daemon: FakeDaemon, kind: str, body: Any) -> tuple[int, Any]:
        if kind == "services":
            return 201, {"ID": daemon.add_service(body)["ID"]}
        new = daemon.next_id(kind[:3])
        if kind == "networks":
            created = {
                "Id": new,
                "Scope": "swarm",
                "Created": NOW,
                "IPAM": {"Config": []},
                "Internal": False,
                "EnableIPv6": False,
                **body,
            }
            daemon.objects[kind][new] = created
            return 201, {"Id": new, "Warning": ""}
        if any(_name(entry) == body["Name"] for entry in daemon.objects[kind].values()):
            return 409, {"message": f"{kind[:-1]} {body['Name']} already exists"}
        daemon.contents[new] = body.get("Data", "")
        if kind == "secrets":
            body = {key: value for key, value in body.items() if key != "Data"}
        daemon.objects[kind][new] = {
            "ID": new,
            "Version": {"Index": 3},
            "CreatedAt": NOW,
            "UpdatedAt": NOW,
            "Spec": body,
        }
        return 201, {"ID": new}

    def _one(
        self, daemon: FakeDaemon, method: str, steps: list[str], query: dict[str, str], body: Any
    ) -> tuple[int, Any]:
        kind, ref = steps[0], steps[1]
        if kind not in daemon.objects:
            return 404, {"message": "page not found"}
        entry = next(
            (
                e
                for e in daemon.objects[kind].values()
                if ref in {_id(e), _name(e)} or _id(e).startswith(ref)
            ),
            None,
        )
        if entry is None:
            return 404, {"message": f"{kind[:-1]} {ref} not found"}
        if method == "DELETE":
            del daemon.objects[kind][_id(entry)]
            if kind == "services":
                for task_id in [
                    t
                    for t, task in daemon.objects["tasks"].items()
                    if task["ServiceID"] == entry["ID"]
                ]:
                    del daemon.objects["tasks"][task_id]
            return (204 if kind == "networks" else 200), None
        if steps[2:] == ["update"]:
            return self._update(daemon, kind, entry, query, body)
        return 200, entry

    def _update(
        self, daemon: FakeDaemon, kind: str, entry: Any, query: dict[str, str], body: Any
    ) -> tuple[int, Any]:
        if kind in {"secrets", "configs"} and not _same_file(daemon, entry, body):
            message = "rpc error: code = InvalidArgument desc = only updates to Labels are allowed"
            return 400, {"message": message}
        if int(query["version"]) != entry["Version"]["Index"]:
            return 500, {"message": "rpc error: code = Unknown desc = update out of sequence"}
        if kind == "services" and query.get("rollback") == "previous":
            body = entry["PreviousSpec"]
        entry["PreviousSpec"], entry["Spec"] = entry["Spec"], body
        entry["Version"] = {"Index": entry["Version"]["Index"] + 1}
        if kind == "services":
            entry["Endpoint"] = _endpoint(body)
            daemon.make_tasks(entry)
        return 200, {"Warnings": None}


def _same_file(daemon: FakeDaemon, entry: dict[str, Any], body: Any) -> bool:
    kept = daemon.contents.get(_id(entry), "")
    return body["Name"] == _name(entry) and body.get("Data", kept) == kept


def _id(entry: dict[str, Any]) -> str:
    return str(entry.get("ID") or entry.get("Id"))


def _name(entry: dict[str, Any]) -> str:
    if "Description" in entry:
        return str(entry["Description"]["Hostname"])
    return str(entry.get("Name") or entry.get("Spec", {}).get("Name"))


def _matches(daemon: FakeDaemon, kind: str, entry: dict[str, Any], filters: dict[str, Any]) -> bool:
    labels = entry.get("Labels") or entry.get("Spec", {}).get("Labels") or {}
    if kind == "tasks":
        service = daemon.objects["services"].get(entry["ServiceID"], {"Spec": {}})
        labels = service["Spec"].get("Labels") or {}
        labels = labels | (entry["Spec"].get("ContainerSpec", {}).get("Labels") or {})
    for name, given in filters.items():
        wanted = list(given)
        if name == "label":
            ok = all(
                (k in labels) and (not eq or labels[k] == v)
                for k, eq, v in (w.partition("=") for w in wanted)
            )
        elif name == "service":
            ok = any(entry["ServiceID"].startswith(w) for w in wanted) or any(
                s["Spec"]["Name"] in wanted and s["ID"] == entry["ServiceID"]
                for s in daemon.objects["services"].values()
            )
        elif name == "id":
            ok = any(_id(entry).startswith(w) for w in wanted)
        elif name in {"name", "names"}:
            ok = any(_name(entry).startswith(w) for w in wanted)
        elif name == "desired-state":
            ok = entry["DesiredState"] in wanted
        elif name == "mode":
            ok = any(w.capitalize() in entry["Spec"]["Mode"] for w in wanted)
        else:
            ok = True
        if not ok:
            return False
    return True


def _info(daemon: FakeDaemon) -> dict[str, Any]:
    active = daemon.swarm == "active"
    return {
        "ID": "fake",
        "Name": "host1",
        "ServerVersion": "20.10.24",
        "OSType": "linux",
        "NCPU": 2,
        "MemTotal": 8000000000,
        "Swarm": {
            "NodeID": NODE_ID if active else "",
            "NodeAddr": "192.168.0.2" if active else "",
            "LocalNodeState": daemon.swarm,
            "ControlAvailable": active,
            "Managers": 1,
            "Nodes": 1,
            "RemoteManagers": [{"NodeID": NODE_ID, "Addr": "192.168.0.2:2377"}] if active else None,
        },
    }


def _version() -> dict[str, Any]:
    return {
        "Platform": {"Name": "fake"},
        "Version": "20.10.24",
        "ApiVersion": "1.47",
        "MinAPIVersion": "1.12",
        "GitCommit": "abc",
        "GoVersion": "go1",
        "Os": "linux",
        "Arch": "amd64",
        "KernelVersion": "6.1",
        "BuildTime": "2023-01-01T00:00:00.000000000+00:00",
        "Components": [],
    }
