"""Plans against a cluster in memory that does what a plan says and remembers it."""

from __future__ import annotations

import copy
import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivelet.cli.deploy.apply import with_ids
from hivelet.cli.deploy.decide import Present, plan_stack
from hivelet.cli.deploy.plan import Plan, Step
from hivelet.cli.deploy.show import plan_json, plan_lines, restart_text
from hivelet.cli.deploy.versions import FileKind, placeholder, versions_of
from hivelet.cli.deploy.wanted import Wanted, wanted_stack
from hivelet.compose.load import load_stack
from hivelet.errors import InvalidParameter, NotFound

COMPOSE_TESTS = Path(__file__).parents[2] / "compose"
sys.path.insert(0, str(COMPOSE_TESTS))
from compose_cases import CASES, ENVIRONMENT  # noqa: E402

COUNTER = itertools.count(1)


class Cluster:
    """What a daemon keeps; contents of secrets are known to it alone."""

    def __init__(self, *, hivelet: bool = True) -> None:
        self.present = Present(hivelet=hivelet)
        self.contents: dict[str, str] = {}

    def plan(self, wanted: Wanted, *, prune: bool = False) -> Plan:
        same = {
            entry["ID"]
            for kind, specs in (("secrets", wanted.secrets), ("configs", wanted.configs))
            for spec in specs
            for entry in versions_of(spec["Name"], self.present.files(kind))
            if self.contents[entry["ID"]] == spec.get("Data", "")
        }
        return plan_stack(wanted, replace(self.present, same_content=frozenset(same)), prune=prune)

    def apply(self, plan: Plan) -> None:
        ids: dict[str, str] = {}
        for step in plan.changes:
            entries = {f"{kind}s": list(getattr(self.present, f"{kind}s")) for kind in KINDS}
            collection = entries[f"{step.kind}s"]
            if step.action == "remove":
                collection.remove(step.present)
            elif step.action == "create":
                collection.append(self.made(step, ids))
            else:
                collection[collection.index(step.present)] = {
                    **step.present,
                    "PreviousSpec": step.present["Spec"],
                    "Spec": with_ids(step.body, ids),
                }
            self.present = replace(
                self.present, **{name: tuple(found) for name, found in entries.items()}
            )

    def made(self, step: Step, ids: dict[str, str]) -> dict[str, Any]:
        new = f"id{next(COUNTER)}"
        body = copy.deepcopy(with_ids(step.body, ids))
        if step.kind == "network":
            return {**body, "Id": new}
        if step.kind in {"secret", "config"}:
            kind: FileKind = "secrets" if step.kind == "secret" else "configs"
            ids[placeholder(kind, step.name)] = new
            self.contents[new] = body.pop("Data", "")
        return {"ID": new, "Spec": body}

    def names(self, kind: str) -> list[str]:
        return [entry["Spec"]["Name"] for entry in getattr(self.present, kind)]


KINDS = ("network", "secret", "config", "service")


def wanted(folder: Path, data: Any) -> Wanted:
    path = folder / "f.yml"
    path.write_text(json.dumps(data))
    return wanted_stack("app", load_stack([str(path)], {}))


def web(**keys: Any) -> dict[str, Any]:
    return {"services": {"web": {"image": "web", **keys}}}


@pytest.fixture
def plan_change(tmp_path: Path) -> Any:
    """The step of `web` when its service changes from one form to another."""

    def change(old: dict[str, Any], new: dict[str, Any], *, hivelet: bool = True) -> Step:
        cluster = Cluster(hivelet=hivelet)
        cluster.apply(cluster.plan(wanted(tmp_path, web(**old))))
        plan = cluster.plan(wanted(tmp_path, web(**new)))
        return next(step for step in plan.steps if step.kind == "service")

    return change


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_the_corpus_deployed_again_changes_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(COMPOSE_TESTS / "corpus")
    asked = wanted_stack("s", load_stack(CASES[name], ENVIRONMENT))
    for cluster in (Cluster(hivelet=True), Cluster(hivelet=False)):
        deploy_twice(cluster, asked)


def deploy_twice(cluster: Cluster, asked: Wanted) -> None:
    outside = [
        {"ID": f"x{kind}{key}", "Spec": {"Name": entry.name}}
        for kind, section in (("secrets", asked.file.secrets), ("configs", asked.file.configs))
        for key, entry in section.items()
        if entry.external
    ]
    cluster.present = replace(cluster.present, secrets=tuple(outside), configs=tuple(outside))
    cluster.apply(cluster.plan(asked))
    for prune in (False, True):
        assert cluster.plan(asked, prune=prune).changes == ()


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "image": st.sampled_from(["web", "web:2"]),
    "command": st.sampled_from(["a b", "c"]),
    "environment": st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["", "1"])),
    "labels": st.dictionaries(st.sampled_from(["l", "m"]), st.sampled_from(["", "1"])),
    "ports": st.sampled_from([[], ["80:80"], ["127.0.0.1:80:80", "81:81/udp"]]),
    "volumes": st.sampled_from([[], ["data:/d"], ["/x:/x:ro"]]),
    "networks": st.sampled_from([["n"], ["n", "m"], {"m": {"aliases": ["x"]}}]),
    "secrets": st.sampled_from([[], ["s"], [{"source": "s", "target": "t", "uid": "1"}]]),
    "configs": st.sampled_from([[], ["c"]]),
    "healthcheck": st.sampled_from([{"test": ["CMD", "x"], "interval": "5s"}, {"disable": True}]),
    "deploy": st.fixed_dictionaries(
        {},
        optional={
            "replicas": st.integers(0, 3),
            "labels": st.sampled_from([{}, {"d": "1"}]),
            "update_config": st.sampled_from([{"parallelism": 0}, {"order": "start-first"}]),
            "placement": st.sampled_from([{"constraints": ["node.role==manager"]}]),
        },
    ),
}


@st.composite
def stacks(draw: st.DrawFn) -> dict[str, Any]:
    services = {
        name: {"image": "x", **draw(st.fixed_dictionaries({}, optional=FIELDS))}
        for name in draw(st.lists(st.sampled_from("ab"), min_size=1, unique=True))
    }
    content = st.sampled_from(["one", "two", "three"])
    return {
        "services": services,
        "networks": {"n": {}, "m": {}},
        "volumes": {"data": {}},
        "secrets": {"s": {"environment": draw(st.sampled_from(["E1", "E2"]))}},
        "configs": {"c": {"content": draw(content)}},
    }


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(data=st.lists(stacks(), min_size=1, max_size=4), prune=st.booleans(), hivelet=st.booleans())
def test_what_has_been_deployed_plans_nothing(
    data: list[Any], prune: bool, hivelet: bool, tmp_path: Path
) -> None:
    cluster = Cluster(hivelet=hivelet)
    environment = {"E1": "first", "E2": "second"}
    for each in data:
        (tmp_path / "f.yml").write_text(json.dumps(each))
        asked = wanted_stack("app", load_stack([str(tmp_path / "f.yml")], environment))
        plan = cluster.plan(asked, prune=prune)
        json.dumps(plan_json(plan))
        assert len(plan_lines(plan)) >= 1
        assert all(step.fields or step.action != "update" for step in plan.steps)
        cluster.apply(plan)
        again = cluster.plan(asked, prune=prune)
        assert again.changes == ()
        held = {each["SecretID"] for s in cluster.present.services for each in _secrets(s)}
        assert held <= {entry["ID"] for entry in cluster.present.secrets}


def _secrets(service: dict[str, Any]) -> list[dict[str, Any]]:
    specs = [service["Spec"], service.get("PreviousSpec") or {}]
    containers = [spec.get("TaskTemplate", {}).get("ContainerSpec", {}) for spec in specs]
    return [each for container in containers for each in container.get("Secrets", [])]


@pytest.mark.parametrize(
    ("old", "new", "fields", "restarts"),
    [
        ({}, {"labels": {"a": "1"}}, ["labels.a None 1"], 1),
        ({}, {"deploy": {"labels": {"a": "1"}}}, ["deploy.labels.a None 1"], 0),
        ({"deploy": {"replicas": 2}}, {"deploy": {"replicas": 4}}, ["deploy.replicas 2 4"], 0),
        ({}, {"deploy": {"replicas": 3}}, ["deploy.replicas 1 3"], 0),
        ({}, {"image": "web:2"}, ["image web:latest web:2"], 1),
        (
            {"environment": {"A": "1", "B": "x"}},
            {"environment": {"A": "2", "B": "x"}},
            ["environment.A 1 2"],
            1,
        ),
        (
            {"environment": {"DB_PASSWORD": "a", "U": "x://u:p@h"}},
            {"environment": {"DB_PASSWORD": "b", "U": "x://u:q@h"}},
            ["environment.DB_PASSWORD (hidden) (hidden)", "environment.U (hidden) (hidden)"],
            1,
        ),
        ({}, {"ports": ["80:8000"]}, ["ports.80:8000/tcp.publish_mode None ingress"], 1),
        (
            {"deploy": {"resources": {"limits": {"memory": "64M", "cpus": "0.5"}}}},
            {"deploy": {"resources": {"limits": {"memory": "128M", "cpus": "1"}}}},
            [
                "deploy.resources.limits.cpus 0.5 1",
                "deploy.resources.limits.memory 64MiB 128MiB",
            ],
            1,
        ),
        (
            {"stop_grace_period": "20s"},
            {"stop_grace_period": "1m"},
            ["stop_grace_period 20s 1m0s"],
            1,
        ),
        (
            {"deploy": {"update_config": {"order": "stop-first"}}},
            {"deploy": {"update_config": {"order": "start-first"}}},
            ["deploy.update_config.order stop-first start-first"],
            0,
        ),
        (
            {"volumes": ["/a:/x"]},
            {"volumes": ["/b:/x:ro"]},
            ["volumes./x.read_only None true", "volumes./x.source /a /b"],
            1,
        ),
        ({}, {"command": ["a", "b"]}, ['command None ["a", "b"]'], 1),
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_fields_and_restarts(
    plan_change: Any, old: Any, new: Any, fields: list[str], restarts: int
) -> None:
    step = plan_change(old, new)
    assert [f"{change.path} {change.old} {change.new}" for change in step.fields] == fields
    assert bool(step.restart) == bool(restarts)


def test_a_changed_job_runs_anew(plan_change: Any) -> None:
    job = {"mode": "replicated-job", "replicas": 2}
    again = plan_change({"deploy": job}, {"deploy": job, "command": "x"})
    assert again.restart is not None
    assert restart_text(again.restart) == "runs the job anew (command)"
    more = plan_change({"deploy": job}, {"deploy": {**job, "replicas": 3}})
    assert more.restart is not None
    assert restart_text(more.restart).startswith("runs the job anew")
    labels = plan_change({"deploy": job}, {"deploy": {**job, "labels": {"a": "b"}}})
    assert labels.restart is None


def test_pace_and_order_of_a_restart(plan_change: Any) -> None:
    slow = {"parallelism": 2, "delay": "10s", "order": "start-first"}
    deploy = {"replicas": 5, "update_config": slow}
    step = plan_change({"deploy": deploy}, {"image": "b", "deploy": {**deploy, "replicas": 3}})
    assert step.restart is not None
    assert (step.restart.tasks, step.restart.parallelism, step.stops) == (3, 2, 2)
    assert (step.restart.order, step.restart.delay) == ("start-first", "10s")
    assert step.restart.why == ("image",)
    (line,) = (line for line in plan_lines(Plan(stack="app", steps=(step,))) if "restarts" in line)
    assert line.strip() == (
        "restarts 3 tasks, 2 at a time, 10s between, the new task before the old one stops (image); stops 2 tasks"
    )


def test_new_constraints_restart_only_what_stands_in_the_wrong_place(plan_change: Any) -> None:
    step = plan_change({}, {"deploy": {"placement": {"constraints": ["node.role==manager"]}}})
    assert step.restart is not None
    assert step.restart.misplaced_only


def test_the_endpoint_mode_restarts_tasks_of_a_docker_engine(plan_change: Any) -> None:
    change = ({}, {"deploy": {"endpoint_mode": "dnsrr"}})
    assert plan_change(*change).restart is None
    assert plan_change(*change, hivelet=False).restart is not None


def test_what_means_the_same_is_sent_as_the_daemon_has_it(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.apply(cluster.plan(wanted(tmp_path, web())))
    (service,) = cluster.present.services
    service["Spec"]["TaskTemplate"]["Placement"] = {"Platforms": [{"OS": "linux"}]}
    plan = cluster.plan(wanted(tmp_path, web(deploy={"labels": {"a": "b"}})))
    (step,) = plan.changes
    assert step.body["TaskTemplate"] == service["Spec"]["TaskTemplate"]


def test_lists_whose_order_means_nothing(tmp_path: Path) -> None:
    """The docker CLI sorts ports and references by a part of them alone, so that the rest comes as it happens."""
    cluster = Cluster()
    ports, secrets = ["80", "81", "82/udp"], ["one", "two"]
    file = web(ports=ports, secrets=[{"source": "s", "target": name} for name in secrets])
    file |= {"secrets": {"s": {"content": "x"}}}
    cluster.apply(cluster.plan(wanted(tmp_path, file)))
    (service,) = cluster.present.services
    service["Spec"]["EndpointSpec"]["Ports"].reverse()
    service["Spec"]["TaskTemplate"]["ContainerSpec"]["Secrets"].reverse()
    assert cluster.plan(wanted(tmp_path, file)).changes == ()


def test_another_mode_is_refused(plan_change: Any) -> None:
    with pytest.raises(InvalidParameter, match="from replicated to global; remove it first"):
        plan_change({}, {"deploy": {"mode": "global"}})


def test_a_secret_that_nobody_made(tmp_path: Path) -> None:
    data = {**web(secrets=["s"]), "secrets": {"s": {"external": True}}}
    with pytest.raises(NotFound, match='secret "s" does not exist; create it first'):
        Cluster().plan(wanted(tmp_path, data))


def test_a_network_that_the_file_has_otherwise_is_told(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.apply(cluster.plan(wanted(tmp_path, web())))
    data = {**web(), "networks": {"default": {"attachable": True, "driver": "bridge"}}}
    plan = cluster.plan(wanted(tmp_path, data))
    assert plan.changes == ()
    assert plan.warnings == (
        "network app_default stays as it is, and the file has it otherwise (Attachable: False -> True; "
        "driver: overlay -> bridge): a network cannot be changed; give it another name in the file, "
        "or remove the stack first",
    )


# ---- versions of configs and secrets


def with_config(content: str, **keys: Any) -> dict[str, Any]:
    return {**web(configs=["c"], **keys), "configs": {"c": {"content": content}}}


def test_a_changed_config_becomes_a_version_and_unused_ones_go(tmp_path: Path) -> None:
    cluster = Cluster()

    def deploy(content: str) -> Plan:
        plan = cluster.plan(wanted(tmp_path, with_config(content)))
        cluster.apply(plan)
        return plan

    deploy("one")
    assert cluster.names("configs") == ["app_c"]
    plan = deploy("two")
    (service,) = (step for step in plan.changes if step.kind == "service")
    assert [change.path for change in service.fields] == ["configs.c.source"]
    assert service.restart is not None
    first, second = cluster.names("configs")
    assert first == "app_c"
    assert second.startswith("app_c-")
    deploy("three")
    assert "app_c" not in cluster.names("configs")
    assert len(cluster.names("configs")) == 2
    back = deploy("two")
    assert [(step.kind, step.action) for step in back.changes] == [("service", "update")]
    reference = cluster.present.services[0]["Spec"]["TaskTemplate"]["ContainerSpec"]["Configs"][0]
    assert (reference["ConfigName"], reference["File"]["Name"]) == (second, "c")


def test_a_config_of_somebody_else_is_used_and_never_touched(tmp_path: Path) -> None:
    cluster = Cluster()
    theirs = {"ID": "theirs", "Spec": {"Name": "app_c", "Labels": {"own": "x"}}}
    cluster.present = replace(cluster.present, configs=(theirs,))
    cluster.contents["theirs"] = "b25l"
    plan = cluster.plan(wanted(tmp_path, with_config("one")))
    assert not [step for step in plan.changes if step.kind == "config"]
    cluster.apply(plan)
    for content in ("two", "three", "four"):
        cluster.apply(cluster.plan(wanted(tmp_path, with_config(content)), prune=True))
    assert "app_c" in cluster.names("configs")


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    cluster, name = Cluster(), "n" * 64
    for content in ("one", "two"):
        data = {**web(configs=["c"]), "configs": {"c": {"content": content, "name": name}}}
        cluster.apply(cluster.plan(wanted(tmp_path, data)))
    assert [len(each) for each in cluster.names("configs")] == [64, 64]


def test_new_labels_are_written_in_place(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.apply(cluster.plan(wanted(tmp_path, with_config("one"))))
    data = with_config("one")
    data["configs"]["c"]["labels"] = {"a": "b"}
    plan = cluster.plan(wanted(tmp_path, data))
    assert [(s.kind, s.action, s.fields[0].path) for s in plan.changes] == [
        ("config", "update", "labels.a")
    ]


# ---- pruning


def test_prune_takes_what_the_stack_owns_and_nothing_uses(tmp_path: Path) -> None:
    cluster = Cluster()
    data = with_config("one", networks=["n"])
    data["networks"] = {"n": {}}
    data["services"]["old"] = {"image": "old"}
    cluster.apply(cluster.plan(wanted(tmp_path, data)))
    kept = cluster.plan(wanted(tmp_path, web()))
    assert not kept.of("remove")
    plan = cluster.plan(wanted(tmp_path, web()), prune=True)
    # The spec before this one still names the network n and the config: a rollback would need them.
    assert [step.name for step in plan.of("remove")] == ["app_old"]
    assert plan.steps[0].name == "app_old"
    cluster.apply(plan)
    later = cluster.plan(wanted(tmp_path, web(command="x")), prune=True)
    assert [step.name for step in later.of("remove")] == ["app_n", "app_c"]
    assert all(step.last for step in later.of("remove"))
