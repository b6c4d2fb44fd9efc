"""What is said of a stack file whose daemon is a Docker engine: everything of it that the engine will not do."""

from __future__ import annotations

from typing import Any

from hivelet.cli.deploy.wanted import fit_bodies


def body(name: str, **parts: Any) -> dict[str, Any]:
    container = {
        "Healthcheck": {"StartInterval": 5, "Interval": 1},
        "Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"Subpath": "in"}}],
    }
    return {"Name": name, "TaskTemplate": {"ContainerSpec": container}, **parts}


def test_an_older_engine_and_what_it_leaves_out() -> None:
    labels = {"com.hivelet.depends-on": "st_b", "com.hivelet.affinity": "client-ip", "own": "x"}
    ports = {"Ports": [{"HostIP": "127.0.0.1", "TargetPort": 80}, {"TargetPort": 81}]}
    bodies = {"a": body("st_a", Labels=labels, EndpointSpec=ports), "b": body("st_b")}
    assert fit_bodies(bodies, "1.41") == [
        f"this daemon is a Docker engine: {each}"
        for each in (
            "ports for 127.0.0.1 are published on all of its addresses",
            "the label com.hivelet.affinity of st_a has no effect",
            "it starts st_a without waiting for what depends_on names",
            "healthcheck.start_interval of st_a, st_b has no effect in its version of the API (1.41)",
            "volumes.volume.subpath of st_a, st_b has no effect in its version of the API (1.41)",
        )
    ]
    container = bodies["a"]["TaskTemplate"]["ContainerSpec"]
    assert container == {
        "Healthcheck": {"Interval": 1},
        "Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {}}],
    }
    assert bodies["a"]["EndpointSpec"]["Ports"] == [{"TargetPort": 80}, {"TargetPort": 81}]
    assert bodies["a"]["Labels"] == labels


def test_a_newer_engine_does_all_of_it() -> None:
    bodies = {"b": body("st_b")}
    assert fit_bodies(bodies, "1.45") == []
    assert bodies == {"b": body("st_b")}
