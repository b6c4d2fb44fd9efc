"""Whether a service spec can be, by itself. Pure; rules and sentences are SwarmKit's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from hivelet.errors import InvalidParameter
from hivelet.kit.durations import parse_duration
from hivelet.manager.constraints import parse_constraints
from hivelet.manager.controlapi.containers import check_aliases, check_container
from hivelet.manager.controlapi.host_settings import validate_host_settings
from hivelet.manager.controlapi.rpc import invalid, unimplemented
from hivelet.objects.common import NodeId, ServiceId, TaskId
from hivelet.objects.container import Healthcheck
from hivelet.objects.defaults import (
    AFFINITIES,
    AFFINITY_LABEL,
    DRAIN_IDLE_LABEL,
    DRAIN_TIMEOUT_LABEL,
    READY_TIMEOUT_LABEL,
)
from hivelet.objects.dependency import dependencies_of
from hivelet.objects.log_driver import log_policy
from hivelet.objects.node import Node
from hivelet.objects.service import (
    DEPENDS_ON_LABEL,
    EndpointSpec,
    ServiceMode,
    ServiceSpec,
    UpdateConfig,
)
from hivelet.objects.task import (
    ConfigReference,
    ContainerSpec,
    ResourceRequirements,
    RestartPolicy,
    SecretReference,
    Task,
    TaskSpec,
)
from hivelet.objects.templating import expand_container, template_context

_DNS_NAME = re.compile(r"[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*")
_FILE_NAME = re.compile(r"[a-zA-Z0-9]+(?:[a-zA-Z0-9\-_.]*[a-zA-Z0-9])?")
_IMAGE = re.compile(
    r"(?:[a-zA-Z0-9.\-]+(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.\-]{0,127})?(?:@[a-zA-Z0-9]+:[0-9a-fA-F]{32,})?"
)

_MIN_DURATION = 1_000_000
_MIN_CPU = 1_000_000
_MIN_MEMORY = 4 * 1024 * 1024

_CONDITIONS = {"", "none", "on-failure", "any"}
_FAILURE_ACTIONS = {"", "pause", "continue", "rollback"}
_ORDERS = {"", "stop-first", "start-first"}


def validate_service(spec: ServiceSpec) -> None:
    """Refuse a spec that can't be.

    Raises:
        InvalidParameter, NotImplemented: in SwarmKit's words.
    """
    validate_name(spec.name)
    validate_labels(spec.labels)
    validate_template(spec.task_template)
    for attachment in (*spec.task_template.networks, *spec.networks):
        check_aliases(attachment.aliases)
    validate_update(spec.update_config)
    validate_update(spec.rollback_config)
    validate_endpoint(spec.endpoint_spec)
    validate_mode(spec.mode)
    if spec.mode.is_job and (spec.update_config or spec.rollback_config):
        what = "an update" if spec.update_config else "a rollback"
        raise invalid(f"Jobs may not have {what} config")


def validate_labels(labels: Mapping[str, str]) -> None:
    """Refuse a value of a label that means something to hivelet and cannot be understood."""
    try:
        dependencies_of(ServiceSpec(labels=dict(labels)))
    except ValueError as error:
        raise invalid(f"label {DEPENDS_ON_LABEL}: {error}") from error
    for name in (DRAIN_TIMEOUT_LABEL, DRAIN_IDLE_LABEL, READY_TIMEOUT_LABEL):
        if name not in labels:
            continue
        try:
            duration = parse_duration(labels[name])
        except ValueError as error:
            raise invalid(f"label {name}: {error}") from error
        if duration < 0:
            raise invalid(f'label {name}: "{labels[name]}" is negative; give 0s or more')
    affinity = labels.get(AFFINITY_LABEL, "none")
    if affinity not in AFFINITIES:
        raise invalid(
            f'label {AFFINITY_LABEL}: "{affinity}" is unknown: use {" or ".join(AFFINITIES)}'
        )


def validate_name(name: str) -> None:
    """Refuse a name of a service or network that is no part of a domain name."""
    if not name:
        raise invalid("meta: name must be provided")
    if not _DNS_NAME.fullmatch(name):
        raise invalid("name must be valid as a DNS name component")
    if len(name) > 63:
        raise invalid("name must be 63 characters or fewer")


def validate_file_name(name: str) -> None:
    """Refuse a name of a secret or config that would make no file name."""
    if not name:
        raise invalid("name must be provided")
    if len(name) > 64 or not _FILE_NAME.fullmatch(name):
        raise invalid(
            "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, "
            "and the start and end character must be [a-zA-Z0-9]"
        )


def validate_template(spec: TaskSpec) -> None:
    """Refuse what no task could be."""
    _check_resources(spec.resources)
    _check_restart(spec.restart_policy)
    _check_log_driver(spec)
    if spec.placement is not None:
        parse_constraints(spec.placement.constraints)
    if spec.runtime not in {"", "container"}:
        raise unimplemented("RuntimeSpec: unimplemented runtime in service spec")
    if spec.container_spec is None:
        raise invalid("TaskSpec: missing runtime")
    _check_container(spec.container_spec)
    check_container(_expanded(spec))


def _check_log_driver(spec: TaskSpec) -> None:
    try:
        log_policy(spec.log_driver)
    except InvalidParameter as error:
        raise invalid(f"ContainerSpec: {error.message}") from error


def _expanded(spec: TaskSpec) -> ContainerSpec:
    """The container with its templates filled in for a task that might be, as SwarmKit does."""
    task = Task(id=TaskId("task"), service_id=ServiceId("service"), slot=1, spec=spec)
    context = template_context(task, Node(id=NodeId("node")))
    try:
        return expand_container(spec.container_spec or ContainerSpec(), context)
    except InvalidParameter as error:
        raise invalid(error.message) from error


def _check_container(spec: ContainerSpec) -> None:
    if not spec.image:
        raise invalid("ContainerSpec: image reference must be provided")
    if not _IMAGE.fullmatch(spec.image):
        raise invalid(f'ContainerSpec: "{spec.image}" is not a valid repository/tag')
    seen: set[str] = set()
    for mount in spec.mounts:
        if mount.target in seen:
            raise invalid(f"ContainerSpec: duplicate mount point: {mount.target}")
        seen.add(mount.target)
    validate_host_settings(spec)
    _check_health(spec.healthcheck)
    _check_references("secret", [(r.secret_id, r.secret_name, _target(r)) for r in spec.secrets])
    _check_references(
        "config",
        [(r.config_id, r.config_name, _target(r)) for r in spec.configs if r.runtime is None],
    )


def _target(reference: SecretReference | ConfigReference) -> str | None:
    return reference.file.name if reference.file is not None else None


def _check_references(kind: str, references: Iterable[tuple[str, str, str | None]]) -> None:
    taken: dict[str, str] = {}
    for id_, name, target in references:
        if not id_ or not name:
            raise invalid(f"malformed {kind} reference")
        if target is None:
            raise invalid(f"malformed {kind} reference, no target provided")
        if not target:
            raise invalid(f"malformed file {kind} reference, invalid target file name provided")
        if target in taken:
            raise invalid(
                f"{kind} references '{taken[target]}' and '{name}' have a conflicting target: '{target}'"
            )
        taken[target] = name


def _check_health(check: Healthcheck | None) -> None:
    if check is None:
        return
    for what, value in (
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ):
        if value != 0 and value < _MIN_DURATION:
            raise invalid(f"ContainerSpec: {what} in HealthConfig cannot be less than 1ms")
    if check.retries < 0:
        raise invalid("ContainerSpec: Retries in HealthConfig cannot be negative")


def _check_resources(resources: ResourceRequirements | None) -> None:
    if resources is None:
        return
    for part in (resources.limits, resources.reservations):
        if part is None:
            continue
        if part.nano_cpus != 0 and part.nano_cpus < _MIN_CPU:
            raise invalid(f"invalid cpu value {part.nano_cpus / 1e9:g}: Must be at least 0.001")
        if part.memory_bytes != 0 and part.memory_bytes < _MIN_MEMORY:
            raise invalid(f"invalid memory value {part.memory_bytes}: Must be at least 4MiB")


def _check_restart(policy: RestartPolicy | None) -> None:
    if policy is None:
        return
    if policy.condition not in _CONDITIONS:
        raise invalid(f'invalid RestartCondition: "{policy.condition}"')
    if (policy.delay or 0) < 0:
        raise invalid("TaskSpec: restart-delay cannot be negative")
    if (policy.window or 0) < 0:
        raise invalid("TaskSpec: restart-window cannot be negative")


def validate_update(config: UpdateConfig | None) -> None:
    """Refuse update or rollback settings that make no sense."""
    if config is None:
        return
    if config.failure_action not in _FAILURE_ACTIONS:
        raise invalid(f'unrecognized update failure action "{config.failure_action}"')
    if config.order not in _ORDERS:
        raise invalid(f'unrecognized update order "{config.order}"')
    if config.delay < 0:
        raise invalid("TaskSpec: update-delay cannot be negative")
    if (config.monitor or 0) < 0:
        raise invalid("TaskSpec: update-monitor cannot be negative")
    if not 0 <= config.max_failure_ratio <= 1:
        raise invalid("TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1")


def validate_endpoint(spec: EndpointSpec | None) -> None:
    """Refuse ports that can't be published together."""
    if spec is None:
        return
    if spec.mode not in {"", "vip", "dnsrr"}:
        raise invalid(f'invalid endpoint mode "{spec.mode}"')
    seen: set[tuple[str, int, str]] = set()
    for port in spec.ports:
        if spec.mode == "dnsrr" and port.publish_mode == "ingress":
            raise invalid(
                "EndpointSpec: port published with ingress mode can't be used with dnsrr mode"
            )
        if not 0 < port.target_port < 65536 or not 0 <= port.published_port < 65536:
            raise invalid(f"EndpointSpec: invalid port {port.published_port}:{port.target_port}")
        if port.protocol not in {"tcp", "udp", "sctp"}:
            raise invalid(f'EndpointSpec: invalid protocol "{port.protocol}"')
        if port.publish_mode not in {"", "ingress", "host"}:
            raise invalid(
                f'EndpointSpec: invalid publish mode "{port.publish_mode}": use ingress or host'
            )
        if port.host_ip and not _is_address(port.host_ip):
            raise invalid(
                f'EndpointSpec: invalid HostIP "{port.host_ip}" of port {port.published_port}:{port.target_port}: '
                "give an IPv4 or IPv6 address of the host, or none for all"
            )
        key = (port.protocol, port.published_port, port.host_ip)
        if port.published_port and key in seen:
            raise invalid("EndpointSpec: duplicate published ports provided")
        seen.add(key)


def _is_address(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    # A scope belongs to a link, and a rule has none.
    return "%" not in text and not address.is_multicast


def validate_mode(mode: ServiceMode) -> None:
    """Refuse several modes at once, a negative number of replicas, and what hivelet does not do yet."""
    given = (mode.replicated, mode.global_, mode.replicated_job, mode.global_job)
    if sum(each is not None for each in given) > 1:
        raise invalid("only one service mode can be given")
    if mode.replicated is not None and (mode.replicated.replicas or 0) < 0:
        raise invalid("Number of replicas must be non-negative")
    job = mode.replicated_job
    if job is not None and ((job.max_concurrent or 0) < 0 or (job.total_completions or 0) < 0):
        raise invalid("Maximum concurrent jobs and total completions must not be negative")


def mode_name(mode: ServiceMode) -> str:
    """Which of the modes it is; replicated where none was given."""
    if mode.global_ is not None:
        return "global"
    if mode.replicated_job is not None:
        return "replicated-job"
    return "global-job" if mode.global_job is not None else "replicated"
