"""Bringing a stack into being, and taking it away: the requests of `stack deploy` and `stack rm`, in their order.

Deploy: networks, secrets, configs, then services in the order of their dependencies; what is already as the file has it is left
alone. Remove: services, secrets, configs, networks; a network that tasks still leave is tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from hivelet.cli.session import Session, complain, say, warn
from hivelet.cli.spec_compare import same_service
from hivelet.cli.stack_checks import check_images, check_ports
from hivelet.client.engine import Engine
from hivelet.compose.docker_engine import fit_to_engine
from hivelet.compose.load import LoadedStack
from hivelet.compose.model import StackFile
from hivelet.compose.names import IMAGE_LABEL, scoped
from hivelet.compose.to_spec import (
    KnownIds,
    config_specs,
    external_networks,
    network_requests,
    referenced_names,
    secret_specs,
    service_specs,
)
from hivelet.compose.wire import to_wire
from hivelet.errors import HiveletError, InvalidParameter, NotFound
from hivelet.objects.service import STACK_LABEL

Json: TypeAlias = dict[str, Any]

_ENDED = frozenset({"complete", "shutdown", "failed", "rejected", "orphaned", "remove"})
_PAUSE = 0.1


def stack_filter(stack: str) -> dict[str, list[str]]:
    """The filter that finds what belongs to a stack."""
    return {"label": [f"{STACK_LABEL}={stack}"]}


class Deployment:
    """One deploy of one stack."""

    def __init__(self, session: Session, stack: str, loaded: LoadedStack) -> None:
        self._engine = session.engine
        self._stack = stack
        self._file = loaded.file
        self._contents = loaded.contents
        self._daemon_only = loaded.daemon_only
        self._filter = stack_filter(stack)

    def run(
        self, *, prune: bool, resolve_image: str, registry_auth: Mapping[str, str]
    ) -> dict[str, str]:
        """Make the cluster as the file has it; the answer has the names of the stack's services by id."""
        services = self._engine.services()
        existing = {
            entry["Spec"]["Name"]: entry
            for entry in services
            if (entry["Spec"].get("Labels") or {}).get(STACK_LABEL) == self._stack
        }
        self._check_external_networks()
        self._check_services(services, resolve_image)
        if prune:
            self._prune_services(existing)
        self._create_networks()
        for secret in secret_specs(self._stack, self._file, self._contents):
            self._ensure_file_object("secrets", to_wire(secret))
        for config in config_specs(self._stack, self._file, self._contents):
            self._ensure_file_object("configs", to_wire(config))
        specs = service_specs(self._stack, self._file, self._known_ids())
        wires = {name: to_wire(spec) for name, spec in specs.items()}
        if not binds_addresses(self._engine, wires.values()):
            _drop_addresses(wires.values())
        self._fit_to_engine(wires.values())
        network_ids = {network["Name"]: network["Id"] for network in self._engine.networks()}
        deployed: dict[str, str] = {}
        for name in dependency_order(self._file):
            spec = wires[name]
            auth = registry_auth.get(self._file.services[name].image, "")
            present = existing.get(scoped(self._stack, name))
            if present is None:
                identifier = self._create_service(spec, auth)
            else:
                identifier = self._update_service(present, spec, network_ids, resolve_image, auth)
            deployed[identifier] = scoped(self._stack, name)
        if prune:
            self._prune_others()
        return deployed

    def _fit_to_engine(self, specs: Iterable[Json]) -> None:
        """Say what only hivelet's daemon honours where the daemon is a Docker engine, and leave it out there."""
        if not is_hivelet(self._engine):
            for line in self._daemon_only:
                warn(line)
            fit_to_engine(specs, str(self._engine.version().get("ApiVersion", "")))

    def _check_services(self, services: list[Json], resolve_image: str) -> None:
        # Ids of secrets and configs are not known yet, and not needed here.
        secrets, configs = referenced_names(self._stack, self._file)
        unknown = KnownIds(secrets=dict.fromkeys(secrets, ""), configs=dict.fromkeys(configs, ""))
        specs = [to_wire(spec) for spec in service_specs(self._stack, self._file, unknown).values()]
        check_ports(specs, services)
        if resolve_image != "never" and is_hivelet(self._engine):
            # On a Docker Swarm of several machines, an image may be where the task will run and not here.
            check_images(self._engine, specs)

    def _check_external_networks(self) -> None:
        for name in external_networks(self._file):
            try:
                network = self._engine.network(name)
            except NotFound as error:
                raise NotFound(
                    f'network "{name}" is declared as external and does not exist; '
                    f"create it first: hivelet network create -d overlay {name}"
                ) from error
            if network.get("Scope") != "swarm" and name not in {"bridge", "host", "none"}:
                raise InvalidParameter(
                    f'network "{name}" is declared as external, but its scope is {network.get("Scope")} and not swarm'
                )

    def _create_networks(self) -> None:
        present = {network["Name"] for network in self._engine.networks(self._filter)}
        for request in network_requests(self._stack, self._file):
            if request["Name"] not in present:
                say(f"Creating network {request['Name']}")
                self._engine.create_network(request)

    def _ensure_file_object(self, kind: str, spec: Json) -> None:
        present = self._engine.find_file_object(kind, spec["Name"])
        noun = kind.removesuffix("s")
        if present is None:
            say(f"Creating {noun} {spec['Name']}")
            self._engine.create_file_object(kind, spec)
            return
        try:
            self._engine.update_file_object(kind, present, spec)
        except HiveletError as error:
            raise InvalidParameter(
                f"{noun} {spec['Name']} exists and cannot be changed ({error.message}); "
                "give it another name in the file, or remove it and the services that use it first"
            ) from error

    def _known_ids(self) -> KnownIds:
        secrets, configs = referenced_names(self._stack, self._file)
        return KnownIds(
            secrets=self._ids("secrets", secrets), configs=self._ids("configs", configs)
        )

    def _ids(self, kind: str, names: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in sorted(names):
            entry = self._engine.find_file_object(kind, name)
            if entry is None:
                noun = kind.removesuffix("s")
                raise NotFound(
                    f'{noun} "{name}" does not exist; create it first: hivelet {noun} create {name} FILE'
                )
            found[name] = entry["ID"]
        return found

    def _create_service(self, spec: Json, auth: str) -> str:
        say(f"Creating service {spec['Name']}")
        answer = self._engine.create_service(spec, registry_auth=auth)
        for warning in answer.get("Warnings") or []:
            warn(warning)
        return str(answer["ID"])

    def _update_service(
        self,
        present: Json,
        spec: Json,
        network_ids: Mapping[str, str],
        resolve_image: str,
        auth: str,
    ) -> str:
        container = spec["TaskTemplate"]["ContainerSpec"]
        current = present["Spec"]
        wanted = spec.get("Labels", {}).get(IMAGE_LABEL)
        if resolve_image != "always" and wanted == (current.get("Labels") or {}).get(IMAGE_LABEL):
            container["Image"] = current["TaskTemplate"]["ContainerSpec"]["Image"]
        spec["TaskTemplate"]["ForceUpdate"] = current["TaskTemplate"].get("ForceUpdate", 0)
        if same_service(spec, current, network_ids):
            say(f"Unchanged service {spec['Name']}")
            return str(present["ID"])
        say(f"Updating service {spec['Name']} (id: {present['ID']})")
        for warning in self._engine.update_service(present, spec, registry_auth=auth):
            warn(warning)
        return str(present["ID"])

    def _prune_services(self, existing: Mapping[str, Json]) -> None:
        wanted = {scoped(self._stack, name) for name in self._file.services}
        for name, entry in sorted(existing.items()):
            if name not in wanted:
                say(f"Removing service {name}")
                self._engine.remove_service(entry["ID"])

    def _prune_others(self) -> None:
        """Networks, secrets and configs that the stack owns, the file does not have and nothing uses."""
        networks = {request["Name"] for request in network_requests(self._stack, self._file)}
        secrets = {spec.name for spec in secret_specs(self._stack, self._file, self._contents)}
        configs = {spec.name for spec in config_specs(self._stack, self._file, self._contents)}
        for network in self._engine.networks(self._filter):
            if network["Name"] not in networks:
                _try_remove(
                    "network",
                    network["Name"],
                    lambda ref=network["Id"]: self._engine.remove_network(ref),
                )
        for kind, kept in (("secrets", secrets), ("configs", configs)):
            for entry in self._engine.file_objects(kind, self._filter):
                if entry["Spec"]["Name"] not in kept:
                    noun, name = kind.removesuffix("s"), entry["Spec"]["Name"]
                    _try_remove(
                        noun,
                        name,
                        lambda k=kind, ref=entry["ID"]: self._engine.remove_file_object(k, ref),
                    )


def _ports(specs: Iterable[Json]) -> list[Json]:
    return [port for spec in specs for port in (spec.get("EndpointSpec") or {}).get("Ports") or []]


def is_hivelet(engine: Engine) -> bool:
    """Whether the daemon is ours, and not a Docker engine."""
    return bool((engine.version().get("Platform") or {}).get("Name") == "hivelet")


def binds_addresses(engine: Engine, specs: Iterable[Json]) -> bool:
    """Whether the daemon publishes a port on the one address that the user gave; a Docker Swarm does not, which is said."""
    given = sorted({port["HostIP"] for port in _ports(specs) if port.get("HostIP")})
    if not given or is_hivelet(engine):
        return True
    warn(
        f"this daemon is a Docker engine: ports for {', '.join(given)} are published on all of its addresses"
    )
    return False


def _drop_addresses(specs: Iterable[Json]) -> None:
    """What a Docker engine does not keep must not look like a change the next time."""
    for port in _ports(specs):
        port.pop("HostIP", None)


def dependency_order(file: StackFile) -> list[str]:
    """Services with what they depend on before them; circles are broken where they are entered."""
    order: dict[str, None] = {}
    entered: set[str] = set()

    def visit(name: str) -> None:
        if name in entered or name not in file.services:
            return
        entered.add(name)
        for dependency in sorted(file.services[name].depends_on):
            visit(dependency)
        order[name] = None

    for name in sorted(file.services):
        visit(name)
    return list(order)


def remove_stack(session: Session, stack: str, *, detach: bool, timeout: float) -> bool:
    """Remove everything that belongs to a stack, and wait until its tasks are gone; False where something is left."""
    engine, owned = session.engine, stack_filter(stack)
    services = sorted(engine.services(owned), key=lambda service: str(service["Spec"]["Name"]))
    objects = {kind: engine.file_objects(kind, owned) for kind in ("secrets", "configs")}
    networks = engine.networks(owned)
    if not (services or networks or any(objects.values())):
        warn(f"Nothing found in stack: {stack}")
        return True
    done = True
    for service in services:
        done &= _try_remove(
            "service", service["Spec"]["Name"], lambda ref=service["ID"]: engine.remove_service(ref)
        )
    for kind, entries in objects.items():
        for entry in entries:
            noun, name = kind.removesuffix("s"), entry["Spec"]["Name"]
            done &= _try_remove(
                noun, name, lambda k=kind, ref=entry["ID"]: engine.remove_file_object(k, ref)
            )
    deadline = session.monotonic() + (0.0 if detach else timeout)
    if not detach and services:
        done &= _wait_until_gone(session, stack, deadline)
    for network in networks:
        done &= _remove_network(session, network, deadline)
    return done


def _try_remove(noun: str, name: str, remove: Any) -> bool:
    say(f"Removing {noun} {name}")
    try:
        remove()
    except NotFound:
        return True
    except HiveletError as error:
        complain(f"failed to remove {noun} {name}: {error.message}")
        return False
    return True


def _wait_until_gone(session: Session, stack: str, deadline: float) -> bool:
    while True:
        # By label: the services are gone already, and a filter by service asks for one that exists.
        tasks = session.engine.tasks(stack_filter(stack))
        left = [task for task in tasks if task["Status"]["State"] not in _ENDED]
        if not left:
            return True
        if session.monotonic() >= deadline:
            complain(f"{len(left)} tasks are still stopping; `hivelet ps` shows their containers")
            return False
        session.sleep(_PAUSE)


def _remove_network(session: Session, network: Json, deadline: float) -> bool:
    say(f"Removing network {network['Name']}")
    while True:
        try:
            session.engine.remove_network(network["Id"])
        except NotFound:
            return True
        except HiveletError as error:
            if session.monotonic() >= deadline:
                complain(f"failed to remove network {network['Name']}: {error.message}")
                return False
            session.sleep(_PAUSE)
        else:
            return True
