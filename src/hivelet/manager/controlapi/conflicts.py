"""Whether a service spec can be in this cluster: networks, ports, secrets, configs. Pure but for the view it reads."""

from __future__ import annotations

from collections.abc import Iterable

from hivelet.errors import Forbidden, NotFound
from hivelet.manager.controlapi.rpc import failed_precondition, invalid
from hivelet.objects.common import ConfigId, SecretId
from hivelet.objects.dependency import dependencies_of, find_cycle
from hivelet.objects.network import Network, NetworkAttachmentConfig
from hivelet.objects.service import DEPENDS_ON_LABEL, EndpointSpec, Service, ServiceSpec
from hivelet.objects.task import PortConfig
from hivelet.store.view import View

PREDEFINED = frozenset({"host", "bridge", "none"})


def resolve_networks(view: View, spec: ServiceSpec) -> ServiceSpec:
    """The spec with network ids in place of names.

    Raises:
        NotFound: there is no such network.
        InvalidParameter: it is the ingress network.
    """
    template = spec.task_template
    return spec.replaced(
        networks=[_resolve(view, attachment) for attachment in spec.networks],
        task_template=template.replaced(
            networks=[_resolve(view, attachment) for attachment in template.networks]
        )
        if template.networks
        else template,
    )


def _resolve(view: View, attachment: NetworkAttachmentConfig) -> NetworkAttachmentConfig:
    target = attachment.target
    if target in PREDEFINED:
        return attachment
    network = view.get(Network, target) or view.by_name(Network, target)
    if network is None or network.pending_delete:
        raise NotFound(f"network {target} not found")
    if network.spec.ingress:
        raise invalid(
            f'Service cannot be explicitly attached to the ingress network "{network.spec.name}"'
        )
    if network.spec.scope not in {"", "swarm"}:
        raise Forbidden(
            f"The network {target} cannot be used with services. Only networks scoped to the swarm can be used, "
            "such as those created with the overlay driver."
        )
    return attachment if target == network.id else attachment.replaced(target=network.id)


def check_ports(view: View, spec: ServiceSpec, own_id: str = "") -> None:
    """Refuse published ports that another service has.

    Raises:
        InvalidParameter: names the port and the service.
    """
    asked = [port for port in _ports(spec.endpoint_spec) if port.published_port]
    if not asked:
        return
    wanted = {(port.protocol, port.published_port): port.publish_mode for port in asked}
    for service in view.all(Service):
        if service.id == own_id or service.pending_delete:
            continue
        given = service.endpoint.ports if service.endpoint is not None else []
        for port in (*_ports(service.spec.endpoint_spec), *given):
            mode = wanted.get((port.protocol, port.published_port))
            if mode is not None and port.published_port:
                _refuse_clash(service, port, mode)


def _refuse_clash(service: Service, port: PortConfig, mode: str) -> None:
    # Host-mode ports of several services may be the same: the scheduler keeps them apart.
    if port.publish_mode == "host" and mode == "host":
        return
    kind = "an ingress port" if port.publish_mode == "ingress" else "a host-published port"
    raise invalid(
        f"port '{port.published_port}' is already in use by service '{service.spec.name}' "
        f"({service.id}) as {kind}"
    )


def check_references(view: View, spec: ServiceSpec) -> None:
    """Refuse secrets and configs that don't exist.

    Raises:
        InvalidParameter: names them all.
    """
    container = spec.task_template.container_spec
    if container is None:
        return
    secrets = [
        reference.secret_name
        for reference in container.secrets
        if (found := view.secret(SecretId(reference.secret_id))) is None
        or found.spec.name != reference.secret_name
    ]
    configs = [
        reference.config_name
        for reference in container.configs
        if (there := view.config(ConfigId(reference.config_id))) is None
        or there.spec.name != reference.config_name
    ]
    _refuse_missing("secret", secrets)
    _refuse_missing("config", configs)


def check_ingress(view: View, spec: ServiceSpec) -> None:
    """Refuse ingress ports where there is no ingress network.

    Raises:
        InvalidParameter: there is none.
    """
    if not any(port.publish_mode == "ingress" for port in _ports(spec.endpoint_spec)):
        return
    if not any(n.spec.ingress and not n.pending_delete for n in view.all(Network)):
        raise failed_precondition(
            "service needs ingress network, but no ingress network is present"
        )


def check_dependencies(view: View, spec: ServiceSpec) -> None:
    """Refuse a service that would wait for itself by way of others.

    Raises:
        InvalidParameter: names the circle.
    """
    awaited = dependencies_of(spec)
    if not awaited:
        return
    others = [s for s in view.all(Service) if not s.pending_delete and s.spec.name != spec.name]
    specs = {service.spec.name: service.spec for service in others} | {spec.name: spec}
    graph = {
        name: [
            next((c for c in dependency.candidates if c in specs), dependency.name)
            for dependency in dependencies_of(each)
        ]
        for name, each in specs.items()
    }
    circle = find_cycle(graph, spec.name)
    if circle:
        raise invalid(
            f"service {spec.name} would wait for itself: {' -> '.join(circle)}; "
            f"take one of these out of the label {DEPENDS_ON_LABEL}"
        )


def _ports(spec: EndpointSpec | None) -> Iterable[PortConfig]:
    return spec.ports if spec is not None else ()


def _refuse_missing(kind: str, names: list[str]) -> None:
    if names:
        raise invalid(f"{kind}{'s' if len(names) > 1 else ''} not found: {', '.join(names)}")
