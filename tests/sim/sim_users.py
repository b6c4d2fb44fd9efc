"""All that users do to the simulated cluster."""

import hypothesis.strategies as st
from hypothesis.stateful import precondition, rule
from sim_machine import Machine
from sim_specs import NAMES, images, named, replicas, services, updates

from hivelet.errors import OutOfSequence
from hivelet.manager.dirty import is_dirty
from hivelet.objects.cluster import OrchestrationConfig
from hivelet.objects.network import Network
from hivelet.objects.secret import ConfigSpec, Secret, SecretSpec
from hivelet.objects.service import Service
from hivelet.objects.swarm import ServiceUpdate, SwarmRotation
from hivelet.objects.task import SecretReference, SecretReferenceFile, TaskState
from hivelet.testing.cluster import forced, overlay, scaled, with_image

which = st.integers(0, 11)


class Users(Machine):
    """Services, networks, secrets and nodes, as the API lets users change them."""

    @rule(made=services())
    @precondition(lambda self: len(self.services()) < len(NAMES))
    def create(self, made):
        spec, awaits = made
        name = next(name for name in NAMES if name not in self.services())
        spec = named(spec, name, awaits)
        self.ask(f"a user creates {spec!r}", self.cluster.api.create_service(spec), makes=Service)

    @rule(number=which, wanted=replicas)
    def scale(self, number, wanted):
        def edit(spec):
            return spec if spec.mode.replicated is None else scaled(spec, wanted)

        self.edit(number, f"scaled to {wanted}", edit)

    @rule(number=which, image=images, update=updates)
    def update_image(self, number, image, update):
        def edit(spec):
            spec = with_image(spec, image)
            return spec if spec.update_config is None else spec.replaced(update_config=update)

        self.edit(number, f"updated to {image} by {update!r}", edit)

    @rule(number=which, made=services())
    def update_anything(self, number, made):
        def edit(spec):
            same_mode = {"mode": spec.mode, "labels": spec.labels, "name": spec.name}
            return made[0].replaced(**same_mode)

        self.edit(number, f"updated to {made[0]!r}", edit)

    @rule(number=which)
    def force(self, number):
        self.edit(number, "updated by force", forced)

    @rule(number=which)
    def redeploy_unchanged(self, number):
        """Deployed again as it is, no task that is as it should be is touched."""
        name = self.pick(number, self.services())
        if name is None:
            return
        before = [t for t in self.cluster.running(name) if self.is_clean(t)]
        if not self.edit(number, "deployed again, unchanged", lambda spec: spec):
            return
        self.play(self.cluster.settle(0))
        after = {task.id: task for task in self.cluster.tasks(name)}
        service = self.services().get(name)
        stopped = [
            task.id
            for task in before
            # One that is forgotten has ended by itself: nothing else is.
            if task.id in after
            and after[task.id].status.state is TaskState.RUNNING
            and after[task.id].desired_state is not TaskState.RUNNING
        ]
        # A slot may have had two tasks, of which an update was about to stop one.
        slots = {task.slot_key for task in before if task.id in stopped}
        kept = {task.slot_key for task in self.cluster.running(name)}
        assert slots <= kept, f"{service}: {stopped} stopped\n{self.cluster.describe()}"

    @rule(number=which)
    def roll_back(self, number):
        name = self.pick(number, self.services())
        if name is not None:
            service = self.services()[name]
            how = ServiceUpdate(rollback="previous")
            version = service.meta.version.index
            request = self.cluster.api.update_service(service.id, version, service.spec, how)
            if self.ask(f"{name} is rolled back by hand", request):
                self.acknowledge_change(Service, service.id)

    @rule(number=which)
    def write_with_an_old_version(self, number):
        name = self.pick(number, self.services())
        if name is None:
            return
        service = self.services()[name]

        async def request():
            try:
                version = service.meta.version.index - 1
                spec = scaled(service.spec, 9) if service.spec.mode.replicated else service.spec
                await self.cluster.api.update_service(service.id, version, spec, ServiceUpdate())
            except OutOfSequence:
                return
            raise AssertionError("a stale write went through")

        self.ask(f"{name} is updated by one who has an old version", request())

    @rule(number=which)
    def remove(self, number):
        name = self.pick(number, self.services())
        if name is not None:
            service = self.services()[name]
            removal = self.cluster.api.remove_service(name)
            self.ask(f"{name} is removed", removal, removes=service.id)

    @rule(name=st.sampled_from(["net", "back"]))
    def create_network(self, name):
        self.ask(
            f"network {name} is created",
            self.cluster.api.create_network(overlay(name)),
            makes=Network,
        )

    @rule(name=st.sampled_from(["net", "back"]))
    def remove_network(self, name):
        found = self.cluster.store.view(lambda view: view.by_name(Network, name))
        removal = self.cluster.api.remove_network(name)
        self.ask(f"network {name} is removed", removal, removes=found and found.id)

    @rule(name=st.sampled_from(["password", "key"]))
    def create_secret(self, name):
        spec = SecretSpec(name=name, data=name.encode())
        self.ask(f"secret {name} is created", self.cluster.api.create_secret(spec), makes=Secret)

    @rule(name=st.sampled_from(["password", "key"]))
    def remove_secret(self, name):
        found = self.cluster.store.view(lambda view: view.by_name(Secret, name))
        removal = self.cluster.api.remove_secret(name)
        self.ask(f"secret {name} is removed", removal, removes=found and found.id)

    @rule(name=st.sampled_from(["settings"]))
    def create_config(self, name):
        spec = ConfigSpec(name=name, data=b"x")
        self.ask(f"config {name} is created", self.cluster.api.create_config(spec))

    @rule(number=which)
    def use_a_secret(self, number):
        secret = self.pick(number, self.cluster.store.view(lambda view: list(view.all(Secret))))
        if secret is None:
            return
        file = SecretReferenceFile(name=secret.spec.name)
        reference = SecretReference(secret_id=secret.id, secret_name=secret.spec.name, file=file)

        def edit(spec):
            container = spec.task_template.container_spec.replaced(secrets=[reference])
            return spec.replaced(
                task_template=spec.task_template.replaced(container_spec=container)
            )

        self.edit(number, f"given the secret {secret.spec.name}", edit)

    @rule(number=which, availability=st.sampled_from(["active", "active", "pause", "drain"]))
    def set_availability(self, number, availability):
        self.edit_node(number, availability=availability)

    @rule(number=which, zone=st.sampled_from(["a", "b"]))
    def set_label(self, number, zone):
        self.edit_node(number, labels={"zone": zone})

    @rule(limit=st.sampled_from([0, 1, 5]))
    def set_history_limit(self, limit):
        async def request():
            cluster = await self.cluster.api.inspect_swarm()
            kept = OrchestrationConfig(task_history_retention_limit=limit)
            spec = cluster.spec.replaced(orchestration=kept)
            version = cluster.meta.version.index
            await self.cluster.api.update_swarm(version, spec, SwarmRotation())

        self.ask(f"{limit} finished tasks of a slot are to be remembered", request())

    def edit(self, number, text, change):
        name = self.pick(number, self.services())
        if name is None:
            return False
        service = self.services()[name]
        done = self.ask(f"{name} is {text}", self.cluster.change(name, change))
        if done:
            self.acknowledge_change(Service, service.id)
        return done

    def edit_node(self, number, **changes):
        node = self.pick(number, self.cluster.nodes())
        spec = node.spec.replaced(**changes)
        request = self.cluster.api.update_node(node.id, node.meta.version.index, spec)
        self.ask(f"node {node.description.hostname} gets {changes}", request)

    def is_clean(self, task):
        service = self.cluster.store.view(lambda view: view.service(task.service_id))
        node = self.cluster.store.view(lambda view: view.node(task.node_id))
        return service is not None and not is_dirty(service, task, node)
