"""What a service spec may be; the sentences are SwarmKit's."""

import pytest

from hivelet.errors import HiveletError
from hivelet.manager.controlapi.validate import validate_file_name, validate_service
from hivelet.objects.container import Healthcheck, Mount
from hivelet.objects.service import (
    EndpointSpec,
    GlobalMode,
    ReplicatedJobMode,
    ReplicatedMode,
    ServiceMode,
    ServiceSpec,
    UpdateConfig,
)
from hivelet.objects.task import (
    ContainerSpec,
    Limit,
    Placement,
    PortConfig,
    ResourceRequirements,
    RestartPolicy,
    SecretReference,
    SecretReferenceFile,
    TaskSpec,
)

GOOD = ContainerSpec(image="registry.example:5000/team/web:1.2")


def spec(container=GOOD, *, name="web", **fields):
    template = {
        k: fields.pop(k) for k in ("resources", "restart_policy", "placement") if k in fields
    }
    return ServiceSpec(
        name=name, task_template=TaskSpec(container_spec=container, **template), **fields
    )


@pytest.mark.parametrize(
    "image",
    [
        "web",
        "web:latest",
        "a/b/c:1",
        "localhost:5000/x",
        "r.io/a@sha256:" + "0" * 64,
        "busybox:1.36-musl",
    ],
)
def test_good_images(image):
    validate_service(spec(ContainerSpec(image=image)))


PORT = PortConfig(target_port=80, published_port=8000)
FILE = SecretReferenceFile(name="f")


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (spec(name=""), "meta: name must be provided"),
        (spec(name="a b"), "name must be valid as a DNS name component"),
        (spec(name="a" * 64), "name must be 63 characters or fewer"),
        (spec(None), "TaskSpec: missing runtime"),
        (spec(ContainerSpec()), "ContainerSpec: image reference must be provided"),
        (
            spec(ContainerSpec(image="UPPER")),
            'ContainerSpec: "UPPER" is not a valid repository/tag',
        ),
        (
            spec(GOOD.replaced(mounts=[Mount(target="/a"), Mount(target="/a")])),
            "ContainerSpec: duplicate mount point: /a",
        ),
        (
            spec(GOOD.replaced(healthcheck=Healthcheck(interval=5))),
            "ContainerSpec: Interval in HealthConfig cannot be less than 1ms",
        ),
        (
            spec(GOOD.replaced(secrets=[SecretReference(secret_id="i", secret_name="n")])),
            "malformed secret reference, no target provided",
        ),
        (
            spec(
                GOOD.replaced(
                    secrets=[
                        SecretReference(secret_id="1", secret_name="a", file=FILE),
                        SecretReference(secret_id="2", secret_name="b", file=FILE),
                    ]
                )
            ),
            "secret references 'a' and 'b' have a conflicting target: 'f'",
        ),
        (
            spec(resources=ResourceRequirements(limits=Limit(nano_cpus=5))),
            "invalid cpu value 5e-09: Must be at least 0.001",
        ),
        (
            spec(resources=ResourceRequirements(limits=Limit(memory_bytes=5))),
            "invalid memory value 5: Must be at least 4MiB",
        ),
        (
            spec(restart_policy=RestartPolicy(delay=-1)),
            "TaskSpec: restart-delay cannot be negative",
        ),
        (spec(placement=Placement(constraints=["x"])), "constraint expected one operator"),
        (
            spec(update_config=UpdateConfig(max_failure_ratio=2)),
            "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1",
        ),
        (
            spec(endpoint_spec=EndpointSpec(ports=[PORT, PORT])),
            "EndpointSpec: duplicate published ports provided",
        ),
        (
            spec(endpoint_spec=EndpointSpec(mode="dnsrr", ports=[PORT])),
            "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
        ),
        (
            spec(endpoint_spec=EndpointSpec(ports=[PORT.replaced(host_ip="not an ip")])),
            'EndpointSpec: invalid HostIP "not an ip" of port 8000:80',
        ),
        (
            spec(endpoint_spec=EndpointSpec(ports=[PORT.replaced(host_ip="fe80::1%eth0")])),
            "invalid HostIP",
        ),
        (
            spec(endpoint_spec=EndpointSpec(ports=[PORT.replaced(publish_mode="both")])),
            'EndpointSpec: invalid publish mode "both": use ingress or host',
        ),
        (
            spec(mode=ServiceMode(replicated=ReplicatedMode(replicas=-1))),
            "Number of replicas must be non-negative",
        ),
        (
            spec(mode=ServiceMode(replicated=ReplicatedMode(), global_=GlobalMode())),
            "only one service mode",
        ),
        (
            spec(mode=ServiceMode(replicated_job=ReplicatedJobMode(max_concurrent=-1))),
            "must not be negative",
        ),
        (
            spec(
                mode=ServiceMode(replicated_job=ReplicatedJobMode()),
                update_config=UpdateConfig(),
            ),
            "Jobs may not have an update config",
        ),
    ],
)
def test_refusals(bad, sentence):
    with pytest.raises(HiveletError) as caught:
        validate_service(bad)
    assert sentence in caught.value.message
    assert caught.value.message.startswith("rpc error: code = ")


@pytest.mark.parametrize(
    ("name", "good"), [("a.b-c_d", True), ("", False), ("-a", False), ("a" * 65, False)]
)
def test_names_of_secrets(name, good):
    if good:
        validate_file_name(name)
    else:
        with pytest.raises(HiveletError):
            validate_file_name(name)


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("com.hivelet.drain-timeout", "soon"),
        ("com.hivelet.drain-timeout", "-5s"),
        ("com.hivelet.drain-idle", "1"),
        ("com.hivelet.ready-timeout", ""),
        ("com.hivelet.affinity", "cookie"),
    ],
)
def test_a_label_of_ours_that_can_t_be_understood(label, value):
    with pytest.raises(HiveletError, match=f"label {label}: "):
        validate_service(spec(labels={label: value}))


def test_labels_of_ours():
    labels = {
        "com.hivelet.drain-timeout": "1m30s",
        "com.hivelet.drain-idle": "500ms",
        "com.hivelet.ready-timeout": "0s",
        "com.hivelet.affinity": "client-ip",
    }
    validate_service(spec(labels=labels))
