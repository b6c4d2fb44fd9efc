"""The corpus against what the docker CLI makes of it (see `record_goldens.py`), field by field."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hivelet.compose.load import LoadedStack, load_stack
from hivelet.compose.render import render_config
from hivelet.compose.to_spec import (
    KnownIds,
    config_specs,
    network_requests,
    secret_specs,
    service_specs,
)
from hivelet.objects.service import DEPENDS_ON_LABEL, EndpointSpec, ServiceSpec

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from record_goldens import CASES, ENVIRONMENT  # noqa: E402

# What hivelet does differently on purpose.
OURS_ALONE = {
    "container": ["    oom_score_adj: -5\n"],  # the docker CLI reads it and sends it nowhere
}


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> LoadedStack:
    monkeypatch.chdir(HERE / "corpus")
    return load_stack(CASES[name], ENVIRONMENT)


@pytest.mark.parametrize("name", CASES)
def test_config_equals_dockers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = render_config(load(name, monkeypatch).long_form).replace(str(HERE), "/here")
    for line in OURS_ALONE.get(name, []):
        assert line in text
        text = text.replace(line, "")
    assert text == (HERE / "golden" / f"{name}.config.yml").read_text()


@pytest.mark.parametrize("name", CASES)
def test_config_reads_back(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = render_config(load(name, monkeypatch).long_form)
    for env_file in (HERE / "corpus").glob("*.env"):
        (tmp_path / env_file.name).write_bytes(env_file.read_bytes())
    (tmp_path / "again.yml").write_text(text)
    again = load_stack(
        [str(tmp_path / "again.yml")], ENVIRONMENT, skip_interpolation=True, with_contents=False
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
    for service, spec in theirs.items():
        assert ours[service] == spec, service


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
    """The spec without hivelet's own extensions: the `depends_on` label, the host address of ports, `oom_score_adj`.

    Ports without a published number are in no order in Docker's: its sort is not stable.
    """
    labels = {key: value for key, value in spec.labels.items() if key != DEPENDS_ON_LABEL}
    endpoint = spec.endpoint_spec or EndpointSpec()
    ports = [port.replaced(host_ip="") for port in endpoint.ports]
    ports.sort(key=lambda port: (port.published_port, port.target_port, port.protocol))
    task = spec.task_template
    assert task.container_spec is not None
    task = task.replaced(container_spec=task.container_spec.replaced(oom_score_adj=0))
    return spec.replaced(
        labels=labels, endpoint_spec=endpoint.replaced(ports=ports), task_template=task
    )
