"""Services and their tasks, as users write and read them.

Writes: a service's `spec`, `previous_spec`, their versions, `pending_delete`; `update_status` is reset by every update, and set by
a manual rollback. What is being removed is not shown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence

from hivelet.manager.controlapi.conflicts import (
    check_dependencies,
    check_ingress,
    check_ports,
    check_references,
    resolve_networks,
)
from hivelet.manager.controlapi.door import Door, at_version, require_swarm
from hivelet.manager.controlapi.rpc import failed_precondition, unimplemented
from hivelet.manager.controlapi.validate import mode_name, validate_service
from hivelet.manager.controlapi.warnings import service_warnings
from hivelet.manager.dirty import is_dirty
from hivelet.objects.common import ServiceId, Version
from hivelet.objects.container import Healthcheck
from hivelet.objects.dirty import same_template
from hivelet.objects.service import JobStatus, Service, ServiceSpec, UpdateStatus
from hivelet.objects.swarm import ServiceCreated, ServiceUpdate
from hivelet.objects.task import ContainerSpec, Task
from hivelet.store.events import Action
from hivelet.store.query import find_one
from hivelet.store.tx import Tx
from hivelet.store.view import View


class ServicesApi(Door):
    """Behind the API's `ServicesBackend`."""

    async def list_services(self) -> Sequence[Service]:
        """All services that are not being removed."""
        return self._read(_shown)

    async def get_service(self, ref: str) -> Service:
        """One service."""
        return self._read(lambda view: find_service(view, ref))

    async def create_service(
        self,
        spec: ServiceSpec,
        *,
        registry_auth: str = "",
    ) -> ServiceCreated:
        """Validate and store a new service."""
        validate_service(spec)
        check = await self._health_check(spec)

        def change(tx: Tx) -> Service:
            resolved = resolve_networks(tx, spec)
            _check_against_cluster(tx, resolved)
            job = JobStatus(last_execution=tx.now) if resolved.mode.is_job else None
            made = Service(
                id=ServiceId(""), spec=resolved, job_status=job, registry_auth=registry_auth
            )
            return tx.create(made)

        made = await self._write(change)
        return ServiceCreated(id=made.id, warnings=service_warnings(spec, check))

    async def update_service(
        self, ref: str, version: int, spec: ServiceSpec, update: ServiceUpdate
    ) -> Sequence[str]:
        """Write a service's spec, or put the previous one back; the answer is the warnings."""
        check = None
        if update.rollback != "previous":
            validate_service(spec)
            # Before the write: whatever it meets, nothing has been changed yet.
            check = await self._health_check(spec)

        def change(tx: Tx) -> Service:
            service = find_service(tx, ref)
            held = service.replaced(meta=at_version(service, version))
            if update.rollback == "previous":
                return tx.update(_rolled_back(held, tx))
            made = _updated(held, resolve_networks(tx, spec), tx)
            return tx.update(made.replaced(registry_auth=_credentials(held, update)))

        made = await self._write(change)
        return service_warnings(made.spec, check, made.previous_spec)

    async def _health_check(self, spec: ServiceSpec) -> Healthcheck | None:
        return await self._host.health_check(spec.task_template.container_spec or ContainerSpec())

    async def remove_service(self, ref: str) -> None:
        """Mark a service for removal; it is gone for every reader from now on."""

        def change(tx: Tx) -> None:
            tx.update(find_service(tx, ref).replaced(pending_delete=True))

        await self._write(change)

    async def list_tasks(self, services: Collection[ServiceId] | None = None) -> Sequence[Task]:
        """All tasks, or those of some services."""
        if services is None:
            return self._read(lambda view: list(view.all(Task)))
        return self._read(
            lambda view: [task for id_ in services for task in view.tasks_of_service(id_)]
        )

    async def get_task(self, ref: str) -> Task:
        """One task."""
        return self._read(lambda view: find_one("task", ref, view.all(Task), lambda t: t.id))

    async def up_to_date(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Those that match their service's present spec."""

        def read(view: View) -> list[Task]:
            return [
                task
                for task in tasks
                if (service := view.service(task.service_id)) is not None
                and not is_dirty(service, task, view.node(task.node_id))
            ]

        return self._read(read)

    async def watch_tasks(self, services: Collection[ServiceId]) -> AsyncIterator[Task]:
        """Each task of these services as it is now, then again whenever its status changes."""
        wanted = set(services)
        with self._store.watch((Task,)) as watcher:
            for task in await self.list_tasks(services):
                yield task
            async for batch in watcher:
                for event in batch.events:
                    changed = event.obj
                    if (
                        isinstance(changed, Task)
                        and changed.service_id in wanted
                        and event.action is not Action.REMOVE
                    ):
                        yield changed


def find_service(view: View, ref: str) -> Service:
    """The service that `ref` means.

    Raises:
        NotFound, InvalidParameter: in dockerd's words.
    """
    require_swarm(view)
    return find_one("service", ref, _shown(view), lambda service: service.spec.name)


def _shown(view: View) -> list[Service]:
    return [service for service in view.all(Service) if not service.pending_delete]


def _check_against_cluster(view: View, spec: ServiceSpec, own_id: str = "") -> None:
    check_dependencies(view, spec)
    check_ports(view, spec, own_id)
    check_references(view, spec)
    check_ingress(view, spec)


def _updated(service: Service, spec: ServiceSpec, tx: Tx) -> Service:
    before = service.spec
    if mode_name(before.mode) != mode_name(spec.mode):
        raise unimplemented("service mode change is not allowed")
    if before.name != spec.name:
        raise unimplemented("renaming services is not supported")
    if (
        (spec.networks or before.networks)
        and spec.networks != before.networks
        and spec.task_template.networks == before.task_template.networks
    ):
        raise unimplemented("networks must be migrated to TaskSpec before being changed")
    _check_against_cluster(tx, spec, service.id)
    return service.replaced(
        spec=spec,
        spec_version=Version(index=tx.version),
        previous_spec=before,
        previous_spec_version=service.spec_version,
        previous_registry_auth=service.registry_auth,
        update_status=None,
        job_status=_next_iteration(service, spec, tx),
    )


def _credentials(service: Service, update: ServiceUpdate) -> str:
    """Those that came; without any, the ones there were: an update of something else does not lose them."""
    if update.registry_auth:
        return update.registry_auth
    before = update.registry_auth_from == "previous-spec"
    return service.previous_registry_auth if before else service.registry_auth


def _next_iteration(service: Service, spec: ServiceSpec, tx: Tx) -> JobStatus | None:
    """A job runs again where what it runs, or how often, has changed; not where nothing has, unlike in SwarmKit."""
    job, before = service.job_status, service.spec
    same = same_template(before.task_template, spec.task_template) and before.mode == spec.mode
    if job is None or same:
        return job
    return JobStatus(
        job_iteration=Version(index=job.job_iteration.index + 1), last_execution=tx.now
    )


def _rolled_back(service: Service, tx: Tx) -> Service:
    if service.previous_spec is None:
        raise failed_precondition(f"service {service.id} does not have a previous spec")
    _check_against_cluster(tx, service.previous_spec, service.id)
    return service.replaced(
        spec=service.previous_spec,
        spec_version=service.previous_spec_version or Version(index=tx.version),
        previous_spec=service.spec,
        previous_spec_version=service.spec_version,
        registry_auth=service.previous_registry_auth,
        previous_registry_auth=service.registry_auth,
        update_status=None
        if service.job_status is not None
        else UpdateStatus(
            state="rollback_started", started_at=tx.now, message="manually requested rollback"
        ),
        job_status=_next_iteration(service, service.previous_spec, tx),
    )
