"""The corpus against what the docker CLI makes of it (see `record_goldens.py`), field by field."""

from __future__ import annotations

import difflib
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hivelet.cli.spec_compare import canonical_spec
from hivelet.compose.docker_engine import fit_to_engine
from hivelet.compose.load import LoadedStack, LoadOptions, load_stack
from hivelet.compose.render import render_config
from hivelet.compose.to_spec.cluster_files import (
    KnownIds,
    config_specs,
    referenced_names,
    secret_specs,
)
from hivelet.compose.to_spec.networks import network_requests
from hivelet.compose.to_spec.services import service_specs
from hivelet.compose.wire import to_wire
from hivelet.objects.container import HostSettings
from hivelet.objects.service import DEPENDS_ON_LABEL, EndpointSpec, ServiceSpec
from hivelet.objects.task import ContainerSpec

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from compose_cases import CASES, ENVIRONMENT, TODAY  # noqa: E402

DIFFERENCES = json.loads((HERE / "differences.json").read_text())
"""What hivelet does otherwise than the docker CLI, on purpose: the matter, why, and the lines of each case that differ."""


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> LoadedStack:
    monkeypatch.chdir(HERE / "corpus")
    return load_stack(CASES[name], ENVIRONMENT)


def test_the_corpus_is_large() -> None:
    assert len(list((HERE / "corpus").rglob("*.yml"))) >= 60


def test_differences_are_about_the_corpus() -> None:
    assert {name for row in DIFFERENCES for name in row["cases"]} <= set(CASES)


def allowed(name: str, kind: str) -> list[str]:
    """The lines that may differ in a case, in the order of the table."""
    return [line for row in DIFFERENCES for line in row["cases"].get(name, {}).get(kind, [])]


def changed(theirs: str, ours: str) -> list[str]:
    """The lines that are in one text alone."""
    lines = difflib.unified_diff(theirs.splitlines(), ours.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


@pytest.mark.parametrize("name", CASES)
def test_config_equals_dockers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = render_config(load(name, monkeypatch).long_form).replace(str(HERE), "/here")
    theirs = (HERE / "golden" / f"{name}.config.yml").read_text()
    assert sorted(changed(theirs, ours)) == sorted(allowed(name, "config"))


@pytest.mark.parametrize("name", CASES)
def test_config_reads_back(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = render_config(load(name, monkeypatch).long_form)
    for env_file in (HERE / "corpus").glob("*.env"):
        (tmp_path / env_file.name).write_bytes(env_file.read_bytes())
    (tmp_path / "again.yml").write_text(text)
    again = load_stack(
        [str(tmp_path / "again.yml")],
        ENVIRONMENT,
        LoadOptions(skip_interpolation=True, with_contents=False),
    )
    assert render_config(again.long_form) == text


@pytest.mark.parametrize("name", CASES)
def test_services_equal_dockers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = load(name, monkeypatch)
    sent = recorded(name)
    ids = KnownIds(
        secrets=known_ids(sent, "SecretID", "SecretName"),
        configs=known_ids(sent, "ConfigID", "ConfigName"),
    )
    ours = {spec.name: comparable(spec) for spec in service_specs("st", stack.file, ids).values()}
    theirs = {
        spec["Name"]: comparable(msgspec.convert(without_nulls(spec), ServiceSpec))
        for spec in sent["/services/create"]
    }
    assert ours.keys() == theirs.keys()
    found = [
        f"{service} {line}"
        for service, spec in theirs.items()
        for line in changed(as_lines(spec), as_lines(ours[service]))
    ]
    assert sorted(found) == sorted(allowed(name, "services"))


DIFFERENT = {
    name for row in DIFFERENCES for name, kinds in row["cases"].items() if "services" in kinds
}


@pytest.mark.parametrize("name", sorted(CASES.keys() - DIFFERENT))
def test_services_equal_those_that_an_engine_keeps(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = json.loads(
        (HERE / "golden" / f"{name}.services.json").read_text().replace("/here", str(HERE))
    )
    if isinstance(kept, str):
        assert kept in REFUSED_BY_THE_ENGINE
        return
    stack = load(name, monkeypatch)
    secrets, configs = referenced_names("st", stack.file)
    ids = KnownIds(
        secrets={name: name for name in secrets}, configs={name: name for name in configs}
    )
    specs = service_specs("st", stack.file, ids)
    ours = {spec.name: to_wire(spec) for spec in specs.values()}
    fit_to_engine(ours.values(), "1.41")
    assert ours.keys() == {spec["Name"] for spec in kept}
    for theirs in kept:
        assert kept_form(ours[theirs["Name"]]) == kept_form(theirs), theirs["Name"]


REFUSED_BY_THE_ENGINE = (
    "failed to create service st_a: Error response from daemon: rpc error: code = InvalidArgument desc = "
    "invalid cpu value 0.0001: Must be at least 0.001",
    "failed to create service st_b: Error response from daemon: rpc error: code = InvalidArgument desc = "
    "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
    "failed to create secret st_s: Error response from daemon: rpc error: code = Unknown desc = "
    'plugin "vault" not found',
)


def kept_form(spec: dict[str, Any]) -> str:
    """A spec by meaning, without ids and without what hivelet alone sends."""
    plain = json.loads(json.dumps(spec))
    plain.get("Labels", {}).pop(DEPENDS_ON_LABEL, None)
    container = plain["TaskTemplate"]["ContainerSpec"]
    for reference in [*container.get("Secrets", []), *container.get("Configs", [])]:
        for key in ("SecretID", "ConfigID"):
            reference.pop(key, None)
    ports = (plain.get("EndpointSpec") or {}).get("Ports") or []
    for port in ports:
        port.pop("HostIP", None)
    ports.sort(
        key=lambda port: (port.get("PublishedPort", 0), port["TargetPort"], port["Protocol"])
    )
    return json.dumps(canonical_spec(plain, {}), indent=1, sort_keys=True)


@pytest.mark.parametrize("name", CASES)
def test_networks_equal_dockers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = sorted(
        network_requests("st", load(name, monkeypatch).file), key=lambda request: request["Name"]
    )
    theirs = [meaningful(body) for body in recorded(name)["/networks/create"]]
    assert [meaningful(body) for body in ours] == theirs


@pytest.mark.parametrize("name", CASES)
def test_secrets_and_configs_equal_dockers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = load(name, monkeypatch)
    sent = recorded(name)
    for path, specs in (
        ("/secrets/create", secret_specs("st", stack.file, stack.contents)),
        ("/configs/create", config_specs("st", stack.file, stack.contents)),
    ):
        ours = sorted((msgspec.to_builtins(spec) for spec in specs), key=lambda spec: spec["Name"])
        assert ours == [meaningful(body) for body in sent[path]]


def as_lines(spec: ServiceSpec) -> str:
    """Every field of a spec that says something, one a line."""
    return json.dumps(to_wire(spec), indent=1, sort_keys=True, ensure_ascii=False)


def meaning(names: list[str]) -> tuple[Any, ...]:
    """All that a stack creates."""
    env_files = [name.replace(".yml", ".env") for name in names]
    stack = load_stack(
        names,
        ENVIRONMENT,
        LoadOptions(env_files=[name for name in env_files if Path(name).exists()]),
    )
    services = service_specs("st", stack.file, KnownIds())
    return (
        {name: as_lines(comparable(services[name])) for name in sorted(services)},
        sorted(network_requests("st", stack.file), key=lambda request: request["Name"]),
        {spec.name: spec for spec in secret_specs("st", stack.file, stack.contents)},
        {spec.name: spec for spec in config_specs("st", stack.file, stack.contents)},
    )


@pytest.mark.parametrize("name", TODAY)
def test_todays_files_mean_the_same_as_those_of_compose_3(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HERE / "corpus")
    ours, plain = meaning([f"today/{name}.yml"]), meaning([f"today/{name}.plain.yml"])
    for one, other in zip(ours, plain, strict=True):
        assert one == other


def recorded(name: str) -> dict[str, list[Any]]:
    return json.loads(
        (HERE / "golden" / f"{name}.requests.json").read_text().replace("/here", str(HERE))
    )


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def meaningful(body: Any) -> Any:
    """Without what means "not given", and without the old `CheckDuplicate`."""
    kept = without_nulls(body)
    return {
        key: value
        for key, value in kept.items()
        if key != "CheckDuplicate" and value not in (False, "", {}, [])
    }


def known_ids(sent: dict[str, list[Any]], id_key: str, name_key: str) -> dict[str, str]:
    """The ids that the daemon gave, as the recorded services refer to them."""
    found: dict[str, str] = {}

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if name_key in value and id_key in value:
                found[value[name_key]] = value[id_key]
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(sent)
    return found


def comparable(spec: ServiceSpec) -> ServiceSpec:
    """The spec without hivelet's own extensions: the `depends_on` label, the host address of ports, host settings.

    Ports without a published number are in no order in Docker's: its sort is not stable.
    """
    labels = {key: value for key, value in spec.labels.items() if key != DEPENDS_ON_LABEL}
    endpoint = spec.endpoint_spec or EndpointSpec()
    ports = [port.replaced(host_ip="") for port in endpoint.ports]
    ports.sort(key=lambda port: (port.published_port, port.target_port, port.protocol))
    task = spec.task_template
    assert task.container_spec is not None
    ours = (*HostSettings.__struct_fields__, "domainname", "oom_score_adj")
    plain = {name: getattr(ContainerSpec(), name) for name in ours}
    task = task.replaced(container_spec=task.container_spec.replaced(**plain))
    return spec.replaced(
        labels=labels, endpoint_spec=endpoint.replaced(ports=ports), task_template=task
    )
