"""The corpus has every key of the Compose Specification; and what neither Docker nor compose 3 can say becomes what it should."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hivelet.compose.document import Node
from hivelet.compose.grammar import Fields, ListOf, MapOf, OneOf, Rule
from hivelet.compose.grammar_tables import FILE
from hivelet.compose.load import LoadedStack, load_stack
from hivelet.compose.to_spec.cluster_files import KnownIds
from hivelet.compose.to_spec.networks import network_requests
from hivelet.compose.to_spec.services import service_specs
from hivelet.compose.wire import to_wire
from hivelet.compose.yaml_reader import read_yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from complaints import every_text  # noqa: E402
from compose_cases import ENVIRONMENT  # noqa: E402
from test_compose_grammar import every_key, recorded  # noqa: E402

REFUSED = {place for place, key in every_key(FILE) if key.fate == "refused"}


def forms(rule: Rule) -> Iterator[Rule]:
    if isinstance(rule, OneOf):
        for form in rule.forms:
            yield from forms(form)
    else:
        yield rule


def keys_in(node: Node, rule: Rule, path: str = "") -> Iterator[str]:
    """Every key of the tables that a file has, by its way from the top."""
    for form in forms(rule):
        match form, node.value:
            case Fields(), dict(values):
                for name, value in values.items():
                    if name in form.keys:
                        place = f"{path}.{name}" if path else name
                        yield place
                        yield from keys_in(value, form.keys[name].rule, place)
            case MapOf(), dict(values):
                for value in values.values():
                    yield from keys_in(value, form.value, path)
            case ListOf(), list(items):
                for item in items:
                    yield from keys_in(item, form.item, path)


def test_every_key_of_the_specification_is_in_the_corpus() -> None:
    """But for what is refused, which the complaints have."""
    found: set[str] = set()
    for path in (HERE / "corpus").rglob("*.yml"):
        found.update(keys_in(read_yaml(path.read_text(), path.name).root, FILE))
    asked = {
        f"{section}.{name}" if section else name
        for section, names in recorded().items()
        for name in names
    }
    below = {place for place in asked if any(place.startswith(f"{key}.") for key in REFUSED)}
    assert asked - found == (REFUSED & asked) | below


@pytest.mark.parametrize("place", sorted(REFUSED))
def test_every_key_that_is_refused_is_complained_of(place: str) -> None:
    name = place.rpartition(".")[2]
    assert any(f'"{name}" is not supported; ' in text for text in every_text())


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> LoadedStack:
    monkeypatch.chdir(HERE / "corpus")
    stack = load_stack([name], ENVIRONMENT)
    assert stack.warnings == ()
    return stack


def task_of(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    (spec,) = service_specs("st", load(name, monkeypatch).file, KnownIds()).values()
    template: dict[str, Any] = to_wire(spec)["TaskTemplate"]
    return template


def test_a_container_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of("beyond/container.yml", monkeypatch)
    assert task["ContainerSpec"]["DNSConfig"] == {"Options": ["ndots:1"]}
    assert task["ContainerSpec"]["Groups"] == ["audio", "1001"]
    assert task["Resources"] == {
        "Limits": {"MemoryBytes": 64 << 20},
        "SwapBytes": 32 << 20,
        "MemorySwappiness": 40,
    }


def test_what_a_container_asks_of_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "corpus")
    file = load_stack(["today/host.yml"], ENVIRONMENT).file
    (spec,) = service_specs("st", file, KnownIds()).values()
    container = to_wire(spec)["TaskTemplate"]["ContainerSpec"]
    rights = {"PathInContainer": "/dev/null", "CgroupPermissions": "rwm"}
    assert {
        key: container[key] for key in container if key not in {"Image", "Labels", "Privileges"}
    } == {
        "CgroupnsMode": "private",
        "CpuPeriod": 100_000,
        "CpuQuota": 50_000,
        "CpuShares": 512,
        "CpusetCpus": "0-1",
        "DeviceCgroupRules": ["c 1:3 mr", "a 7:* rmw"],
        "Devices": [
            {
                "PathOnHost": "/dev/fuse",
                "PathInContainer": "/dev/xfuse",
                "CgroupPermissions": "r",
            },
            {"PathOnHost": "/dev/null", **rights},
        ],
        "OomKillDisable": True,
        "UTSMode": "host",
    }


def test_mounts_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of("beyond/mounts.yml", monkeypatch)
    srv, opt, data, scratch = task["ContainerSpec"]["Mounts"]
    assert srv["BindOptions"] == {"CreateMountpoint": True, "ReadOnlyForceRecursive": True}
    assert srv["ReadOnly"] is True
    assert opt["BindOptions"] == {"NonRecursive": True}
    assert data["VolumeOptions"] == {
        "NoCopy": True,
        "Labels": {"kept": "yes", "com.docker.stack.namespace": "st"},
        "Subpath": "in",
    }
    assert scratch["TmpfsOptions"] == {"SizeBytes": 1 << 20, "Mode": 0o1770}


def test_whole_numbers_with_a_point(tmp_path: Path) -> None:
    file = tmp_path / "f.yml"
    file.write_text(
        "services: {a: {image: a, ports: [{target: 1e3, published: 8000.0}], deploy: {replicas: 2.0}}}\n"
    )
    (spec,) = service_specs("st", load_stack([str(file)], {}).file, KnownIds()).values()
    wire = to_wire(spec)
    (port,) = wire["EndpointSpec"]["Ports"]
    assert (port["TargetPort"], port["PublishedPort"]) == (1000, 8000)
    assert wire["Mode"] == {"Replicated": {"Replicas": 2}}


def test_networks_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    (network,) = network_requests("st", load("beyond/networks.yml", monkeypatch).file)
    assert network["EnableIPv6"] is True
    assert network["IPAM"]["Config"] == [
        {
            "Subnet": "10.77.0.0/24",
            "IPRange": "10.77.0.128/25",
            "Gateway": "10.77.0.9",
            "AuxiliaryAddresses": {"printer": "10.77.0.3"},
        },
        {"Subnet": "fd00:77::/64"},
    ]


def test_contents_in_the_file_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load("beyond/content.yml", monkeypatch).contents == {
        ("secrets", "s"): b"hush http://x",
        ("configs", "c"): b"told http://x",
    }
